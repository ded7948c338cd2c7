"""
The verdicts: each step of a model against what it should have made of the runtime's own values.

- A softmax-family node: its output against the exact one (`softops.opset`'s oracle) of the input it got.
- A chain of matrix products and sums: against its value in twice the precision.
- Integers, booleans, strings (labels, indices): against our backend, equal or wrong; with no excuse for
  rounding, because the decision is taken anew from the runtime's own logits.
- Outputs that change when a runtime is asked for the values in between: against our own run, within twice
  what all the steps allow together; the rows of a softmax by their sums as well.
- Floats made by anything else: against our backend, within ``rtol`` of the largest magnitude in the row, or
  a ULP where that is more.

The first two bounds are derived in `softops.conformance.measure.bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset.graph.domains import DOMAINS

from ..measure.bounds import CHAINED, JUDGED, Chain, Doubles, family_allowance, known, row_totals, step
from ..measure.metrics import scalar
from ..measure.ulp import is_float, largest, spacing, ulp_error, unit_roundoff
from .cuts import FamilyNode, Plan, attributes, is_discrete
from .node_truth import Exact, exact_output, undecided_labels
from .step import Step

Arrays = Mapping[str, NDArray[Any]]

_CHAINED_MAX = 2**26
"""Larger operands are not multiplied in twice the precision: that takes four times their memory."""


class Judge:
    """Judges the tensors of one model; keeps the allowances, which those of later steps are made of."""

    def __init__(self, plan: Plan, *, max_ulp: float | None, rtol: float) -> None:
        self._plan = plan
        self._max_ulp = max_ulp
        self._rtol = rtol
        self._allowances: dict[str, Doubles] = {}

    def step(self, tensor: str, values: Arrays, recomputed: Arrays) -> Step:
        """
        Judge ``tensor`` as made from the runtime's own values.

        Parameters
        ----------
        values
            The runtime's values: inputs of the model, cuts and outputs.
        recomputed
            What our backend makes of them, for steps that have no exact value here.
        """
        actual = values[tensor]
        rule = "exact value"
        if (found := self._exact(tensor, values)) is not None:
            exact, allowed = found
            if self._max_ulp is not None:
                allowed = self._max_ulp * spacing(exact, actual.dtype).astype(np.float64)
        elif is_discrete(actual):
            expected = recomputed[tensor]
            return self._equal(tensor, actual, expected, self._undecided(tensor, expected, values, 0))
        elif (chain := self._chain(tensor, values)) is not None:
            rule, exact, allowed = "matrix product", chain.exact, chain.allowance(actual.dtype)
        else:
            rule, exact = "rtol", recomputed[tensor]
            allowed = self._loose(exact)
        self._allowances[tensor] = allowed
        return self._bounded(tensor, rule, actual, exact, allowed)

    def end_to_end(self, tensor: str, actual: NDArray[Any], ours: Arrays) -> Step:
        """
        Judge ``tensor`` against our own run of the model, which had its own roundings all the way.

        Used where the runtime's outputs are not those it gives when it is asked for the cuts as well.
        Both may be off by what each step allows, so twice that is taken, and a decision that hangs on less
        may fall either way.
        """
        expected = ours[tensor]
        if is_discrete(actual):
            return self._equal(tensor, actual, expected, self._undecided(tensor, expected, ours, 4))
        family = self._plan.family(tensor)
        allowed = self._allowances.get(tensor, self._loose(expected) if is_float(expected.dtype) else None)
        x = None if family is None else self._value(family.source, ours)
        if family is not None and x is not None and family.operator.op_type in JUDGED:
            exact = family.operator.exact(x, family.axis)
            given = self._allowances.get(family.source)
            allowed = family_allowance(family.operator, x, exact, family.axis, given)
        assert allowed is not None
        return self._bounded(tensor, "end to end", actual, expected, 2 * allowed)

    def row_sums(self, tensor: str, actual: NDArray[Any], ours: Arrays) -> Step | None:
        """Judge the sums of a softmax, which are 1 whatever the logits were; None for anything else."""
        family = self._plan.family(tensor)
        x = None if family is None else self._value(family.source, ours)
        if family is None or x is None or family.operator.op_type != "Softmax":
            return None
        exact = family.operator.exact(x, family.axis)
        allowed = family_allowance(family.operator, x, exact, family.axis)
        sums, wanted, slack = (
            row_totals(family.operator, family.axis, array) for array in (actual, exact, allowed)
        )
        wanted = np.where(np.isnan(wanted), wanted, 1)
        # The sums are rounded to the dtype that they are measured in.
        slack = slack + 2 * unit_roundoff(actual.dtype)
        return self._bounded(f"row sums of {tensor}", "sum of 1", sums.astype(actual.dtype), wanted, slack)

    def _value(self, tensor: str, values: Arrays) -> NDArray[Any] | None:
        return values[tensor] if tensor in values else self._plan.constant(tensor)

    def _exact(self, tensor: str, values: Arrays) -> Exact | None:
        family = self._plan.family(tensor)
        if family is None or (inputs := self._inputs(family, values)) is None:
            return None
        # Integers and strings are judged by the backend.
        return exact_output(family, inputs) if is_float(values[tensor].dtype) else None

    def _inputs(self, family: FamilyNode, values: Arrays) -> list[NDArray[Any] | None] | None:
        """Return the values of a node's inputs, None for those left out; None if one is not known."""
        inputs = [self._value(name, values) if name else None for name in family.node.input]
        known = all(x is not None or not name for x, name in zip(inputs, family.node.input, strict=True))
        return inputs if known else None

    def _chain(self, tensor: str, values: Arrays, *, inside: bool = False) -> Chain | None:
        value = self._value(tensor, values) if inside else None
        if value is not None:
            return known(value) if is_float(value.dtype) and value.size <= _CHAINED_MAX else None
        node = self._plan.producers.get(tensor)
        if node is None or node.op_type not in CHAINED or node.domain not in DOMAINS:
            return None
        # A legacy Add or Gemm that names its broadcasting is read by the backend alone.
        options = attributes(node)
        if "broadcast" in options or not all(node.input):
            return None
        operands = [self._chain(name, values, inside=True) for name in node.input]
        usable = [operand for operand in operands if operand is not None]
        return step(node.op_type, options, usable) if len(usable) == len(operands) else None

    def _loose(self, expected: NDArray[Any]) -> Doubles:
        size = np.abs(expected.astype(np.float64))
        finite = np.where(np.isfinite(size), size, 0)
        # A last rounding may fall either way: of bfloat16 that alone is more than 1e-3.
        least = np.nan_to_num(spacing(expected, expected.dtype).astype(np.float64), nan=0, posinf=0)
        if finite.ndim and finite.size:
            finite = np.broadcast_to(finite.max(-1, keepdims=True), finite.shape)
        return np.maximum(self._rtol * finite, least)

    def _undecided(
        self, tensor: str, expected: NDArray[Any], values: Arrays, slack: float
    ) -> NDArray[np.bool_] | None:
        """
        Return the rows whose label the model does not settle; None where it cannot be told.

        These are the rows with a NaN among the logits, of which ONNX does not say what ArgMax makes, and
        those whose two largest logits differ by no more than ``slack`` times what rounding may move one.
        """
        node = self._plan.producers.get(tensor)
        while node is not None and node.op_type in ("Gather", "Identity", "Cast"):
            node = self._plan.producers.get(node.input[-1])
        if node is None:
            return None
        family = self._plan.family(node.output[0])
        if family is not None and (inputs := self._inputs(family, values)) is not None:
            return _shaped(undecided_labels(family, inputs), expected)
        source = None if node.op_type != "ArgMax" else self._value(node.input[0], values)
        if source is None or not source.ndim:
            return None
        axis = attributes(node).get("axis", 0)
        logits = np.moveaxis(source.astype(np.float64), axis, -1)
        if logits.shape[-1] < 2:
            return None
        undecided = np.isnan(logits).any(-1)
        if slack and node.input[0] in self._allowances:
            second, first = np.moveaxis(np.partition(logits, -2, axis=-1)[..., -2:], -1, 0)
            undecided |= first - second <= slack * self._allowances[node.input[0]].max(axis)
        return _shaped(np.asarray(undecided), expected)

    def _operator(self, tensor: str) -> str:
        family = self._plan.family(tensor)
        if family is not None:
            return family.operator.name
        node = self._plan.producers.get(tensor)
        return "input" if node is None else node.op_type

    def _equal(
        self,
        tensor: str,
        actual: NDArray[Any],
        expected: NDArray[Any],
        undecided: NDArray[np.bool_] | None = None,
    ) -> Step:
        wrong = np.asarray(actual != expected)
        if undecided is not None:
            wrong = wrong & ~undecided
        count = int(wrong.sum())
        details: dict[str, Any] = {}
        if count:
            index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
            details = {
                "worst_index": index,
                "worst_actual": scalar(actual[index]),
                "worst_exact": scalar(expected[index]),
            }
        return Step(tensor, self._operator(tensor), "equal", not count, count, actual.size, **details)

    def _bounded(
        self, tensor: str, rule: str, actual: NDArray[Any], exact: NDArray[Any], allowed: Doubles
    ) -> Step:
        truth = exact.astype(np.longdouble)
        errors = ulp_error(actual, truth)
        ulp = spacing(truth, actual.dtype)
        with np.errstate(all="ignore"):
            limit = (allowed / ulp).astype(np.float64)
            # Within its allowance the exact value may lie beyond the largest number.
            wide = actual.astype(np.longdouble)
            over = (
                np.isinf(wide)
                & (np.sign(wide) == np.sign(truth))
                & (np.abs(truth) + allowed >= largest(actual.dtype))
            )
            used = np.where((errors == 0) | over, 0, errors / limit)
        used = np.where(np.isnan(used), np.inf, used)
        wrong = int((used > 1).sum())
        place = np.unravel_index(int(used.argmax()), used.shape)
        index = tuple(int(i) for i in place)
        return Step(
            tensor,
            self._operator(tensor.removeprefix("row sums of ")),
            rule,
            not wrong,
            wrong,
            actual.size,
            max_error_ulp=float(errors.max()),
            bound_used=float(used[index]),
            worst_index=index,
            worst_actual=scalar(actual[index]),
            worst_exact=float(truth[index]),
            worst_error_ulp=float(errors[index]),
            worst_bound_ulp=float(limit[index]),
            errors_ulp=errors,
        )


def _shaped(undecided: NDArray[np.bool_] | None, like: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the rows in the form of the labels, whether these keep the axis or not."""
    if undecided is None or undecided.size != like.size:
        return None
    return undecided.reshape(like.shape)
