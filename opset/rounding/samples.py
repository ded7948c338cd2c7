"""What a node makes in each sample: of what it got there, moved by roundings of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..nodes.node import Value
from ..rounding_rules.call import Call
from ..rounding_rules.precision import Precision
from ..rounding_rules.rounder import Rounder
from ..rounding_rules.table import SLOPES, STEPWISE, own_noise
from .decisions import LABELLERS, close_calls, decides, undecided
from .value import Noisy

_NEAR = 1e-3
"""So far from the exact value the tangent of a function with a curvature of 1 or less is right to a thousandth."""


@dataclass(frozen=True)
class Samples:
    """
    How many samples there are, and what their noise is drawn by.

    ``free``: whether each takes decisions of its own, rather than those of the exact run.
    """

    count: int
    random: np.random.Generator
    free: bool

    def rounder(self, precision: Precision) -> Rounder:
        """What rounds at random."""
        return Rounder(self.random, precision)

    def of(self, call: Call, inputs: Sequence[Noisy]) -> tuple[list[Noisy], bool]:
        """Return the outputs of a node, exact and in all samples, and whether there is a rule for its roundings."""
        stepwise = STEPWISE.get((call.node.proto.domain, call.node.proto.op_type))
        if stepwise is None:
            return self._by_rule(call, inputs)
        rounder = self.rounder(call.precision)
        made = [stepwise(call, rounder, [x.copy(k) for x in inputs]) for k in range(self.count)]
        columns = zip(*made, strict=True)
        return [Noisy(y, list(column)) for y, column in zip(call.outputs, columns, strict=False)], True

    def _by_rule(self, call: Call, inputs: Sequence[Noisy]) -> tuple[list[Noisy], bool]:
        masks, decided = self._decisions(call, inputs)
        made = [list(call.outputs)] * self.count
        if any(x.copies is not None for x in inputs) and any(mask is None for mask in masks):
            made = self._along_the_tangent(call, inputs[0]) or [
                call.run(*(x.copy(k) for x in inputs)) for k in range(self.count)
            ]
        sigmas, has_rule = own_noise(call)
        rounder, outputs = self.rounder(call.precision), list[Noisy]()
        columns = [list(column) for column in zip(*made, strict=True)]
        del made  # each number is let go as it is rounded: the samples are most of the memory
        for place, (y, sigma, mask) in enumerate(zip(call.outputs, sigmas, masks, strict=True)):
            values = columns[place]
            if mask is not None:
                values = self._decided(y, [sample[place] for sample in decided])
            outputs.append(_with_noise(y, values, sigma, mask, rounder))
        if (
            call.node.proto.op_type in LABELLERS
            and len(outputs) > 1
            and isinstance(outputs[1].exact, np.ndarray)
        ):
            outputs[0] = _with_close_calls(outputs[0], close_calls(outputs[1], sigmas[1]))
        return outputs, has_rule

    def _along_the_tangent(self, call: Call, x: Noisy) -> list[list[Value]] | None:
        """The samples of a function of one number that takes long; None of others, and further off."""
        rule = SLOPES.get((call.node.proto.domain, call.node.proto.op_type))
        if rule is None or x.copies is None:
            return None
        with np.errstate(invalid="ignore"):
            steps = [copy - x.exact for copy in x.copies]
            if max(float(np.max(np.abs(step), initial=0)) for step in steps) > _NEAR:
                return None
        slope = rule(call)
        return None if slope is None else [[call.y + slope * step] for step in steps]

    def _decisions(self, call: Call, inputs: Sequence[Noisy]) -> tuple[list[Any], list[list[Value]]]:
        if not decides(call.node, inputs, call.outputs):
            return [None] * len(call.outputs), []
        return undecided(call.node, call.operation, inputs, call.outputs, self.count, free=self.free)

    def _decided(self, y: Value, others: list[Value]) -> list[Value]:
        """The decision of the exact run in all samples, or where they are free their own, if all are of its shape."""
        takes_own = self.free and others and all(np.shape(other) == np.shape(y) for other in others)
        return others if takes_own else [y] * self.count


def _with_noise(y: Value, values: list[Value], sigma: Any, mask: Any, rounder: Rounder) -> Noisy:
    if sigma is not None and isinstance(y, np.ndarray) and y.dtype == np.float64 and np.any(sigma):
        for k, value in enumerate(values):
            values[k] = rounder.moved(value, np.asarray(sigma))
    elif all(value is y or _same(value, y) for value in values):
        return Noisy(y, undecided=mask)
    return Noisy(y, values, undecided=mask)


def _with_close_calls(labels: Noisy, unsure: Any) -> Noisy:
    mask = np.asarray(labels.undecided).reshape(-1) | unsure.reshape(-1)
    return replace(labels, undecided=mask.reshape(np.shape(labels.exact)))


def _same(value: Value, other: Value) -> bool:
    if isinstance(value, np.ndarray) and isinstance(other, np.ndarray):
        nan = value.dtype == np.float64
        return value.shape == other.shape and np.array_equal(value, other, equal_nan=nan)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_same, value, other))
    return bool(value is other)
