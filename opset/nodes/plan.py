"""
A graph made flat: a list of steps over numbered slots, ready to run any number of times.

What can be known before the first run is settled here: where each value lies, when it is needed for the last
time, which steps may write over an input that nobody reads afterwards, and which outputs must be copied so
that they share memory with no input, no constant and no other output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ModelError, NodeError, one_line

Value = Any
"""What a slot holds: an array, a list of arrays, None for what was left out, seldom something else."""

Function = Callable[..., Any]
Values = list[Value]

LEFT_OUT = 0
"""The slot of inputs that a node leaves out; it always holds None."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """
    What a node does, its attributes put in place.

    Attributes
    ----------
    run
        Takes the inputs, gives the output; a tuple of outputs where `many`.
    many
        Whether `run` gives a tuple.
    fresh
        Whether the outputs are arrays in memory that nothing else uses.
    view
        Whether the output is the first input seen in another way, or new memory.
    in_place
        As `run`, for inputs the first of which may be overwritten.
    by_rows
        Whether `in_place` works on each row of a matrix alone, so that blocks of rows may be given one by one.
    followed_by
        For a node that makes a matrix: gives a `run` that goes on with its rows, by functions that work in place.
    plain_errors
        Whether a TypeError or ValueError of `run` is clear without a word about the node.
    """

    run: Function
    many: bool = False
    fresh: bool = False
    view: bool = False
    in_place: Function | None = None
    by_rows: bool = False
    followed_by: Callable[[Sequence[Function]], Function] | None = None
    plain_errors: bool = False


@dataclass(frozen=True)
class Entry:
    """A node with its places: slots of inputs and outputs, and words that tell which node it is."""

    work: Work
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    label: str


@dataclass
class Plan:
    """
    Steps over slots.

    Attributes
    ----------
    template
        What the slots hold before the first step: constants, and None.
    inputs, outputs
        Slots of the graph's inputs and outputs.
    entries
        The nodes in order.
    """

    template: Values
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    entries: Sequence[Entry]
    steps: list[Callable[[Values], None]] = field(init=False)
    copied: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = _chained(self.entries, self.outputs)
        last = _last_uses(self.entries, self.outputs)
        origins = _origins(self.entries, self.template, self.inputs)
        ends = _ends(origins, last, self.entries)
        self.steps = [
            _step(
                _function(entry, index, origins, ends),
                entry,
                tuple({slot for slot in (*entry.inputs, *entry.outputs) if last.get(slot, index) == index}),
                self.template,
            )
            for index, entry in enumerate(self.entries)
        ]
        self.copied = tuple(
            not origins[slot] or any(origins[slot] & origins[other] for other in _others(self.outputs, place))
            for place, slot in enumerate(self.outputs)
        )

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Run the steps; the outputs may share memory with inputs, constants and each other (see `run_for_caller`)."""
        values = self.template.copy()
        for slot, value in zip(self.inputs, inputs, strict=True):
            values[slot] = value
        step = None
        try:
            for step in self.steps:  # the handler asks which it was
                step(values)
        except MemoryError:
            raise
        except Exception as error:
            assert step is not None
            entry = self.entries[self.steps.index(step)]
            if isinstance(error, (TypeError, ValueError) if entry.work.plain_errors else ModelError):
                raise
            raise _node_error(entry, values, error) from error
        return [values[slot] for slot in self.outputs]

    def run_for_caller(self, inputs: Sequence[Value]) -> list[Value]:
        """As `run`, with outputs that are the caller's own, and contiguous."""
        outputs = self.run(inputs)
        for place, copied in enumerate(self.copied):
            value = outputs[place]
            if copied or type(value) is not np.ndarray or not value.flags.c_contiguous:
                outputs[place] = _copy(value)
        return outputs


def _chained(entries: Sequence[Entry], outputs: tuple[int, ...]) -> list[Entry]:
    """The entries, with those that only go on with the rows of the matrix just made put into one with its maker."""
    readers = Counter(slot for entry in entries for slot in entry.inputs)
    readers.update(outputs)
    chained: list[Entry] = []
    makers: list[Entry] = []  # for each of them the first of the chain
    finishes: list[list[Function]] = []
    for entry in entries:
        before = chained[-1] if chained else None
        if (
            before is not None
            and makers[-1].work.followed_by is not None
            and entry.work.by_rows
            and entry.work.in_place is not None
            and entry.inputs == before.outputs
            and readers[entry.inputs[0]] == 1
        ):
            finishes[-1].append(entry.work.in_place)
            work = Work(run=makers[-1].work.followed_by(tuple(finishes[-1])), fresh=True)
            chained[-1] = Entry(work, before.inputs, entry.outputs, f"{before.label}, {entry.label}")
            continue
        chained.append(entry)
        makers.append(entry)
        finishes.append([])
    return chained


def _others(slots: tuple[int, ...], place: int) -> tuple[int, ...]:
    return slots[:place] + slots[place + 1 :]


def _last_uses(entries: Sequence[Entry], outputs: tuple[int, ...]) -> dict[int, int]:
    """For each slot that is read, the index of the last step that reads it; behind all steps for outputs."""
    last = {slot: index for index, entry in enumerate(entries) for slot in entry.inputs}
    return last | dict.fromkeys(outputs, len(entries))


_Origins = dict[int, frozenset[int]]


def _origins(entries: Sequence[Entry], template: Values, inputs: tuple[int, ...]) -> _Origins:
    """For each slot the slots whose memory it may use; the empty set where that belongs to somebody else."""
    origins: _Origins = dict.fromkeys(range(len(template)), frozenset())
    for entry in entries:
        for slot in entry.outputs:
            if entry.work.fresh:
                origins[slot] = frozenset((slot,))
            elif entry.work.view:
                origins[slot] = origins[entry.inputs[0]]
    return origins


def _ends(origins: _Origins, last: dict[int, int], entries: Sequence[Entry]) -> dict[int, int]:
    """
    For each slot that has memory of its own the index of the last step that reads it under any name.

    A step that makes neither memory of its own nor a view, such as an If, may hand an input on under a name that
    is not known to be one of it: such memory is read to the end.
    """
    ends: dict[int, int] = {}
    for slot, own in origins.items():
        for origin in own:
            ends[origin] = max(ends.get(origin, -1), last.get(slot, -1))
    for entry in entries:
        if not entry.work.fresh and not entry.work.view:
            ends.update((origin, len(entries)) for slot in entry.inputs for origin in origins[slot])
    return ends


def _function(entry: Entry, index: int, origins: _Origins, ends: dict[int, int]) -> Function:
    """The form of the node's work that is right here: in place where nobody reads the first input again."""
    if entry.work.in_place is None:
        return entry.work.run
    own = origins[entry.inputs[0]]
    return entry.work.in_place if own and all(ends[slot] <= index for slot in own) else entry.work.run


def _step(
    function: Function, entry: Entry, dead: tuple[int, ...], template: Values
) -> Callable[[Values], None]:
    """The node as a function that changes the list of values; values that are needed no more are let go."""
    dead = tuple(slot for slot in dead if template[slot] is None and slot != LEFT_OUT)
    inputs, outputs = entry.inputs, entry.outputs
    many = entry.work.many
    if many or len(outputs) != 1:

        def several(values: Values) -> None:
            made = function(*[values[slot] for slot in inputs])
            results = made if many else (made,)  # further outputs that have no name
            for slot, value in zip(outputs, results, strict=False):
                values[slot] = value
            for slot in dead:
                values[slot] = None

        return several
    (output,) = outputs
    if len(inputs) == 1:
        (only,) = inputs

        def unary(values: Values) -> None:
            values[output] = function(values[only])
            for slot in dead:
                values[slot] = None

        return unary

    def general(values: Values) -> None:
        values[output] = function(*[values[slot] for slot in inputs])
        for slot in dead:
            values[slot] = None

    return general


def _node_error(entry: Entry, values: Values, error: Exception) -> NodeError:
    got = ", ".join(_described(values[slot]) for slot in entry.inputs) or "no inputs"
    reason = one_line(error.__cause__ or error) or type(error).__name__
    message = f"expected inputs that {entry.label} can work on (got {got}: {reason}); check the model and its inputs"
    return NodeError(message)


def _described(value: Value) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype}{list(value.shape)}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def _copy(value: Value) -> Value:
    if isinstance(value, np.ndarray | np.generic):
        return np.array(value, order="C")
    return [_copy(item) for item in value] if isinstance(value, list) else value
