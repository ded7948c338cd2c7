"""Loops and branches in traced code, written as `with` blocks.

    total = Variable(zero)
    with loop(0, n) as i:
        x = load(kind, src + i * size)
        with when(x > 0.0) as otherwise:
            total.value += x
        with otherwise:
            ...
    return total.value

The Python code of a block runs once and writes the code of its body. What a block changes for later rounds, or for what
comes after it, is a `Variable`; every other value made in a block is gone at its end, and using it then is refused.
"""

from typing import Any

from numba import types

from .numba_internals import close, redirect, stack_place
from .types import llvm
from .values import Value


def integer(like: Value, number: Any) -> Value:
    """An integer of 64 bits, in the code of another value."""
    return number if isinstance(number, Value) else like.constant(number, types.int64)


class Variable:
    """Numbers or vectors that blocks can change: ``.value`` is one, or a tuple of them, as it is at this place.

    They lie on the stack until LLVM keeps them in registers. A variable keeps the types of what it is set to first.
    """

    __slots__ = ("_places",)

    def __init__(self, *first: Value) -> None:
        self._places: list[Value] = []
        if first:
            self.value = first

    @property
    def value(self) -> Any:
        read = [place.new(place.type, place.builder.load(place.ir)) for place in self._places]
        return read[0] if len(read) == 1 else tuple(read)

    @value.setter
    def value(self, value: Any) -> None:
        values = value if isinstance(value, tuple | list) else (value,)
        if not self._places:
            self._places = [v.new(v.type, stack_place(v.builder, llvm(v.type))) for v in values]
        for place, new in zip(self._places, values, strict=True):
            given = new if isinstance(new, Value) else place.constant(new)
            if given.type != place.type:
                message = f"a variable keeps its type ({place.type}, set to {given.type}); convert the value"
                raise TypeError(message)
            place.builder.store(given.ir, place.ir)


class _Block:
    """What blocks have in common: their code is closed at their end, and one goes on after it."""

    __slots__ = ("_after", "_builder", "_first")

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def _open(self, name: str, after: Any = None) -> Any:
        """A new piece of code for the body, which is gone on from at `after`, or behind it.

        In this order: the registers that LLVM gives to a loop depend on where its blocks stand.
        """
        inside = self._builder.append_basic_block(name)
        self._first = len(self._builder.function.blocks) - 1
        self._after = after or self._builder.append_basic_block("after")
        return inside

    def _close(self, back: Any) -> None:
        """End the body with a branch, and go on after it."""
        self._builder.branch(back)
        close(block for block in self._builder.function.blocks[self._first :] if block is not self._after)
        self._builder.position_at_end(self._after)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._close(self._after)


class _Round(Value):
    """The number of a loop's round; after the loop the one it ended with."""

    __slots__ = ("_after",)
    _after: Any

    def leave_if(self, condition: Value) -> None:
        """End the loop, in the middle of a round, where the condition holds (``break``)."""
        going_on = self.builder.append_basic_block("on")
        self.builder.cbranch(condition.ir, self._after, going_on)
        self.builder.position_at_end(going_on)


class loop(_Block):  # noqa: N801  # read as a statement
    """``with loop(first, last, step) as i``: for i in range(first, last, step), of which one is a value."""

    __slots__ = ("_head", "_index", "_last", "_start", "_step")

    def __init__(self, first: Any, last: Any, step: Any = 1) -> None:
        like = last if isinstance(last, Value) else first
        super().__init__(like.builder)
        self._start, self._last, self._step = (integer(like, each) for each in (first, last, step))

    def __enter__(self) -> Any:
        builder, before = self._builder, self._builder.block
        self._head = builder.append_basic_block("loop")
        inside = self._open("round")
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self._index = builder.phi(llvm(types.int64))
        self._index.add_incoming(self._start.ir, before)
        builder.cbranch(builder.icmp_signed("<", self._index, self._last.ir), inside, self._after)
        builder.position_at_end(inside)
        index = _Round(builder, types.int64, self._index)
        index._after = self._after
        return index

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            following = self._builder.add(self._index, self._step.ir)
            self._index.add_incoming(following, self._builder.block)
            self._close(self._head)


class when(_Block):  # noqa: N801
    """``with when(condition) as otherwise``, and if need be right behind it ``with otherwise``."""

    __slots__ = ("_condition",)

    def __init__(self, condition: Value) -> None:
        super().__init__(condition.builder)
        self._condition = condition

    def __enter__(self) -> "_Otherwise":
        inside = self._open("then")
        branch = self._builder.cbranch(self._condition.ir, inside, self._after)
        self._builder.position_at_end(inside)
        return _Otherwise(self._builder, branch, self._after)


class _Otherwise(_Block):
    __slots__ = ("_branch", "_target")

    def __init__(self, builder: Any, branch: Any, target: Any) -> None:
        super().__init__(builder)
        self._branch, self._target = branch, target

    def __enter__(self) -> None:
        if self._builder.block is not self._target or self._target.instructions:
            message = "`with otherwise` stands right behind its `with when`"
            raise SyntaxError(message)
        inside = self._open("else", self._target)
        redirect(self._branch, self._target, inside)
        self._builder.position_at_end(inside)
