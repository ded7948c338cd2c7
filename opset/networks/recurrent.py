"""
LSTM, GRU and RNN, every input and option of them, computed in float64 and rounded once.

A cell is a function of one direction's weights that gives a step: (what the input adds to each gate, state) to state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from .activations import Activation, activations_of, clipped

State = tuple[Array, ...]
"""The hidden state, and the cell's where there is one; each of shape (batch, hidden)."""


@dataclass(frozen=True)
class Direction:
    """
    What a cell is made of; H is the number of hidden units, G that of gates.

    Attributes
    ----------
    recurrence
        Shape (G, H, H).
    bias
        Of the recurrence, shape (G, H); that of the input is in what the input adds.
    peepholes
        Shape (3, H), of an LSTM.
    activations
        As many as the cell has by default.
    """

    recurrence: Array
    bias: Array
    peepholes: Array
    activations: list[Activation]
    attributes: Mapping[str, Any]


Step = Callable[[Array, State], State]


def lstm_cell(own: Direction) -> Step:
    """
    Gates in the order input, output, forget, cell.

    The clip is of what the gates' activations are given. ONNX says no more than "the input of activations", and
    neither onnxruntime nor OpenVINO clips the cell on its way to the last one.
    """
    (f, g), h = clipped(own.activations[:2], own.attributes.get("clip")), own.activations[2]
    matrix, bias = np.concatenate(list(own.recurrence)).T, own.bias[:, None]
    to_input, to_output, to_forget = own.peepholes
    coupled = bool(own.attributes.get("input_forget", 0))

    def step(given: Array, state: State) -> State:
        hidden, cell = state
        gates = given + np.stack(np.split(hidden @ matrix, 4, -1)) + bias
        opened = f(gates[0] + to_input * cell)
        kept = 1 - opened if coupled else f(gates[2] + to_forget * cell)
        cell = kept * cell + opened * g(gates[3])
        return f(gates[1] + to_output * cell) * h(cell), cell

    return step


def gru_cell(own: Direction) -> Step:
    """Gates in the order update, reset, hidden."""
    f, g = clipped(own.activations, own.attributes.get("clip"))
    update, reset, last = (matrix.T for matrix in own.recurrence)
    bias = own.bias
    is_linear_first = bool(own.attributes.get("linear_before_reset", 0))

    def step(given: Array, state: State) -> State:
        (hidden,) = state
        z = f(given[0] + hidden @ update + bias[0])
        r = f(given[1] + hidden @ reset + bias[1])
        recurrent = r * (hidden @ last + bias[2]) if is_linear_first else (r * hidden) @ last + bias[2]
        return ((1 - z) * g(given[2] + recurrent) + z * hidden,)

    return step


def rnn_cell(own: Direction) -> Step:
    """One gate."""
    (f,) = clipped(own.activations, own.attributes.get("clip"))
    matrix, bias = own.recurrence[0].T, own.bias[0]
    return lambda given, state: (f(given[0] + state[0] @ matrix + bias),)


@dataclass(frozen=True)
class Layer:
    """
    A recurrent layer: outputs Y, Y_h, and Y_c where there are two states.

    What lies beyond a sequence's length is 0 in Y, and is not read; the last states of a sequence of length 0 are 0, as
    in onnxruntime and OpenVINO, where ONNX says nothing.
    """

    cell: Callable[[Direction], Step]
    gates: int
    states: int
    backwards: list[bool]
    activations: list[list[Activation]]
    attributes: Mapping[str, Any]
    names: list[str]
    """Of the activations of the first direction."""

    def run(
        self,
        x: Array,
        w: Array,
        r: Array,
        b: Array | None = None,
        lengths: Array | None = None,
        *more: Array | None,
    ) -> list[Array]:
        """Give the outputs; ``more`` are initial_h, and of an LSTM initial_c and the peepholes."""
        self._check(w, r)
        batch_first = bool(self.attributes.get("layout", 0))
        states, peepholes = [*more[: self.states], *[None] * (self.states - len(more))], more[self.states :]
        if batch_first:
            x, states = x.swapaxes(0, 1), [None if a is None else a.swapaxes(0, 1) for a in states]
        steps, batch = x.shape[:2]
        ends = np.full(batch, steps) if lengths is None else lengths.astype(np.intp)
        results = []
        for place, back in enumerate(self.backwards):
            own, bias = self._direction(place, r, b, *peepholes)
            inputs = x.astype(np.float64) @ w[place].astype(np.float64).T
            inputs = np.moveaxis(inputs.reshape(steps, batch, self.gates, -1), 2, 1) + bias[:, None]
            nothing = np.zeros((batch, r.shape[2]))
            start = tuple(nothing if a is None else a[place].astype(np.float64) for a in states)
            results.append(_over_time(self.cell(own), inputs, start, ends, back=back))
        hidden, *lasts = zip(*results, strict=True)
        outputs = [np.stack(hidden, 1), *map(np.stack, lasts)]
        if batch_first:
            outputs = [np.moveaxis(outputs[0], 2, 0), *(y.swapaxes(0, 1) for y in outputs[1:])]
        return [y.astype(x.dtype) for y in outputs]

    def _direction(
        self, place: int, r: Array, b: Array | None, peepholes: Array | None = None
    ) -> tuple[Direction, Array]:
        """What the cell of a direction is made of, and the bias of its input."""
        units = r.shape[2]
        biases = np.zeros(2 * self.gates * units) if b is None else b[place].astype(np.float64)
        of_input, of_recurrence = biases.reshape(2, self.gates, units)
        looks = np.zeros(3 * units) if peepholes is None else peepholes[place].astype(np.float64)
        recurrence = r[place].astype(np.float64).reshape(self.gates, units, units)
        activations = self.activations[place]
        return Direction(
            recurrence, of_recurrence, looks.reshape(3, units), activations, self.attributes
        ), of_input

    def _check(self, w: Array, r: Array) -> None:
        directions = len(self.backwards)
        if w.ndim != 3 or r.ndim != 3 or len(w) != directions or w.shape[1] != self.gates * r.shape[2]:
            message = (
                f"weights of shapes {list(w.shape)} and {list(r.shape)} do not fit {directions} directions "
                f"and {self.gates} gates"
            )
            raise ValueError(message)


def _over_time(step: Step, inputs: Array, state: State, ends: Array, *, back: bool) -> tuple[Array, ...]:
    """All hidden states, of shape (steps, batch, hidden), and the last ones."""
    steps, _, batch, units = inputs.shape
    times = np.arange(steps)[:, None]
    order = (
        np.where(times < ends, ends - 1 - times, times) if back else np.broadcast_to(times, (steps, batch))
    )
    everyone, hidden = np.arange(batch), np.zeros((steps, batch, units))
    for time in range(int(ends.max(initial=0))):
        now, lasts = order[time], (time < ends)[:, None]
        made = step(np.moveaxis(inputs[now, :, everyone], 0, 1), state)
        state = tuple(np.where(lasts, new, old) for new, old in zip(made, state, strict=True))
        hidden[now, everyone] = np.where(lasts, state[0], 0)
    return hidden, *(np.where(ends[:, None] > 0, last, 0) for last in state)


_DIRECTIONS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}


class _Kind(NamedTuple):
    """A cell, and how many gates, which activations and how many states it has."""

    cell: Callable[[Direction], Step]
    gates: int
    activations: tuple[str, ...]
    states: int


_KINDS = {
    "LSTM": _Kind(lstm_cell, 4, ("Sigmoid", "Tanh", "Tanh"), 2),
    "GRU": _Kind(gru_cell, 3, ("Sigmoid", "Tanh"), 1),
    "RNN": _Kind(rnn_cell, 1, ("Tanh",), 1),
}


def layer_of(node: Node) -> Layer:
    """The layer that a node of LSTM, GRU or RNN is."""
    kind, direction = _KINDS[node.proto.op_type], node.attributes.get("direction", "forward")
    if direction not in _DIRECTIONS:
        message = f"expected a direction of {', '.join(_DIRECTIONS)} in {node.label} (got {direction!r})"
        raise ValueError(message)
    backwards = _DIRECTIONS[direction]
    functions = activations_of(node.attributes, kind.activations, len(backwards))
    names = [*(node.attributes.get("activations") or kind.activations)]
    return Layer(kind.cell, kind.gates, kind.states, backwards, functions, node.attributes, names)


def recurrent(node: Node) -> Operation:
    """LSTM, GRU and RNN."""
    return Operation(layer_of(node).run, many=True, fresh=True)
