"""LSTM, GRU and RNN step by step: the sums into each gate, its activation, and the new state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..networks.recurrent import Direction, Layer, Step, layer_of
from ..nodes.arrays import Array
from ..nodes.node import Value
from .call import Call
from .rounder import Rounder, Stepwise


def recurrent(call: Call, r: Rounder, inputs: Sequence[Value]) -> list[Value]:
    """A recurrent layer in one sample."""
    layer = layer_of(call.node)
    x, w = inputs[0], inputs[1]
    # of the input's squares their mean stands for all: one more product is not worth it
    mean_squares = np.mean(x**2, (0, 1))
    of_input = [np.reshape(each**2 @ mean_squares, (layer.gates, 1, -1)) for each in w]
    given = iter(of_input)
    functions = [
        [_rounding(r, function, name) for function, name in zip(own, layer.names, strict=False)]
        for own in layer.activations
    ]

    def cell(own: Direction) -> Step:
        return _noisy(layer, own, next(given), x.shape[-1], r)

    made = replace(layer, cell=cell, activations=functions).run(*inputs)
    return [r.last(y) for y in made]


def _rounding(r: Rounder, function: Callable[[Array], Any], name: str) -> Callable[[Array], Array]:
    times, floor = (2.0, 1.0) if name.lower() == "sigmoid" else (3.0, 0.0)
    return lambda x: r(np.asarray(function(x)), times, floor)


def _noisy(layer: Layer, own: Direction, of_input: Array, width: int, r: Rounder) -> Step:
    step = layer.cell(own)
    columns = np.swapaxes(own.recurrence, 1, 2)
    squares = columns**2
    terms = width + columns.shape[1] + 2

    def noisy(given: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        total = given + np.matmul(state[0], columns)
        moved = r.sum_of(total, of_input + np.matmul(state[0] ** 2, squares), terms)
        return tuple(r(each, 2) for each in step(given + (moved - total), state))

    return noisy


STEPWISE: dict[tuple[str, str], Stepwise] = {("", name): recurrent for name in ("LSTM", "GRU", "RNN")}
