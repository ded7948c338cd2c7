"""
The verdicts: each step of a model against what it should have made of the runtime's own values.

- A softmax-family node: its output against the exact one (`softops.opset`'s oracle) of the input it got.
- A chain of matrix products and sums: against its value in twice the precision.
- Integers, booleans, strings (labels, indices): against our backend, equal or wrong; with no excuse for
  rounding, because the decision is taken anew from the runtime's own logits.
- What is quantised into integers: within half a step of what was rounded, which allows another one beside a tie.
- Outputs that change when a runtime is asked for the values in between: against our own run, or against those that it
  then gives, within twice what all the steps allow together; the rows of a softmax by their sums as well.
- Floats made by anything else: against our backend, within ``rtol`` of the largest magnitude in the row, or
  a ULP where that is more.

The first two bounds are derived in `softops.conformance.measure.bounds`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.bounds import JUDGED, family_allowance, loosely, row_totals
from ..measure.errors import against_exact
from ..measure.metrics import first_place, scalar
from ..measure.ulp import Doubles, is_float, spacing, unit_roundoff
from ..verdicts.rules import RULES
from .exact import chain_to, exact_output
from .graph import Arrays, ModelGraph
from .quantised import wrong_steps
from .runs import CutRun, WholeRun, changed_outputs
from .step import Step
from .undecided import Rows, undecided

Array = NDArray[Any]


@dataclass(frozen=True)
class Bounds:
    """
    What a user sets of the bounds: ``max_ulp`` and ``rtol`` of `validate`.

    Raises
    ------
    ValueError
        One is negative.
    """

    max_ulp: float | None = None
    rtol: float = 1e-3

    def __post_init__(self) -> None:
        for name, bound in (("max_ulp", self.max_ulp), ("rtol", self.rtol)):
            if bound is not None and not bound >= 0:
                message = (
                    f"expected {name} of 0 or more (got {bound!r}); pass for instance max_ulp=64, rtol=1e-3"
                )
                raise ValueError(message)


def judged(
    graph: ModelGraph,
    values: Arrays,
    recomputed: Arrays,
    bounds: Bounds,
    names: Collection[str],
    allowances: Arrays | None = None,
    *,
    brief: bool = False,
) -> Iterator[Step]:
    """
    Judge tensors by the runtime's own values.

    Parameters
    ----------
    values
        All that is known of a run in the runtime: inputs, cuts and outputs.
    recomputed
        What our backend makes of these, for each tensor from the values before it.
    names
        What is judged.
    allowances
        Takes how far each may be off.
    brief
        Errors are measured of what is wrong alone: in extended precision they take most of the time.
    """
    judge = _Judge(graph, bounds, {} if allowances is None else allowances, brief=brief)
    # In the order of the graph: what was allowed for an input is part of what is allowed behind it.
    made = [name for name in graph.producers if name in names]
    for name in dict.fromkeys((*made, *names)):
        if values[name].size:
            yield judge.step(name, values, recomputed)


def judged_end_to_end(
    graph: ModelGraph, feeds: Arrays, whole: WholeRun, cut: CutRun, bounds: Bounds, allowances: Arrays
) -> Iterator[Step]:
    """
    Judge the outputs that were others in a run of the whole than in one that was asked for the cuts as well.

    An output is right when it is near enough to that of our backend's own run, or to the runtime's own from which each
    step was judged. ``allowances`` are those of the steps.
    """
    judge = _Judge(graph, bounds, allowances)
    ours = {**feeds, **whole.ours}
    for name in changed_outputs(whole, cut):
        step = judge.end_to_end(name, whole.theirs[name], ours)
        if not step.passed:
            stepwise = judge.end_to_end(name, whole.theirs[name], {**feeds, **cut.theirs})
            step = stepwise if stepwise.passed else step
        yield step
        if (sums := judge.row_sums(name, whole.theirs[name], ours)) is not None:
            yield sums


class _Judge:
    """Judges the tensors of one model; keeps the allowances, which those of later steps are made of."""

    def __init__(self, graph: ModelGraph, bounds: Bounds, allowances: Arrays, *, brief: bool = False) -> None:
        self._brief = brief
        self._graph = graph
        self._bounds = bounds
        self._allowances = allowances

    def step(self, tensor: str, values: Arrays, recomputed: Arrays) -> Step:
        """Judge ``tensor`` as made from the runtime's own values; ``recomputed`` is what our backend makes of them."""
        actual, family = values[tensor], self._graph.family_node(tensor)
        inputs = None if family is None else self._graph.inputs_of(family, values)
        exact = None
        if family is not None and inputs is not None and is_float(actual.dtype):
            exact = exact_output(family, inputs)
        if exact is not None:
            rule, expected, allowed = "exact value", exact.value, exact.allowed
            if self._bounds.max_ulp is not None:
                allowed = self._bounds.max_ulp * spacing(expected, actual.dtype).astype(np.float64)
        elif (
            wrong := wrong_steps(self._graph, tensor, actual, values, recomputed, self._bounds.rtol)
        ) is not None:
            return self._equal(tensor, actual, recomputed[tensor], ~wrong, "quantised")
        elif is_discrete(actual):
            expected = recomputed[tensor]
            return self._equal(tensor, actual, expected, self._undecided(tensor, expected, values, 0))
        elif (chain := chain_to(self._graph, tensor, values)) is not None:
            rule, expected, allowed = "matrix product", chain.exact, chain.allowance(actual.dtype)
        else:
            rule, expected = "rtol", recomputed[tensor]
            allowed = loosely(expected, self._bounds.rtol)
        self._allowances[tensor] = allowed
        return self._bounded(tensor, rule, actual, expected, allowed)

    def end_to_end(self, tensor: str, actual: Array, ours: Arrays) -> Step:
        """
        Judge ``tensor`` against our own run of the model, which had its own roundings all the way.

        Used where the runtime's outputs are not those it gives when it is asked for the cuts as well.
        Both may be off by what each step allows, so twice that is taken, and a decision that hangs on less
        may fall either way.
        """
        expected = ours[tensor]
        if is_discrete(actual):
            return self._equal(tensor, actual, expected, self._undecided(tensor, expected, ours, 4))
        family = self._graph.family_node(tensor)
        allowed = self._allowances.get(
            tensor, loosely(expected, self._bounds.rtol) if is_float(expected.dtype) else None
        )
        x = None if family is None else self._graph.value(family.source, ours)
        if family is not None and x is not None and family.operator.op_type in JUDGED:
            exact = family.operator.exact(x, family.axis)
            given = self._allowances.get(family.source)
            allowed = family_allowance(family.operator, x, exact, family.axis, given)
        assert allowed is not None
        return self._bounded(tensor, "end to end", actual, expected, 2 * allowed)

    def row_sums(self, tensor: str, actual: Array, ours: Arrays) -> Step | None:
        """Judge the sums of a softmax, which are 1 whatever the logits were; None for anything else."""
        family = self._graph.family_node(tensor)
        x = None if family is None else self._graph.value(family.source, ours)
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
        step = self._bounded(tensor, "sum of 1", sums.astype(actual.dtype), wanted, slack)
        return replace(step, tensor=f"row sums of {tensor}")

    def _undecided(self, tensor: str, expected: Array, values: Arrays, slack: float) -> Rows | None:
        return undecided(self._graph, tensor, expected, values, self._allowances, slack)

    def _maker(self, tensor: str) -> str:
        family = self._graph.family_node(tensor)
        if family is not None:
            return family.operator.name
        node = self._graph.producers.get(tensor)
        return "input" if node is None else node.op_type

    def _equal(
        self, tensor: str, actual: Array, expected: Array, undecided: Rows | None, rule: str = "equal"
    ) -> Step:
        wrong = np.asarray(actual != expected)
        if undecided is not None:
            wrong = wrong & ~undecided
        index = first_place(wrong)
        return Step(
            tensor,
            self._maker(tensor),
            rule,
            index is None,
            int(wrong.sum()),
            actual.size,
            worst_index=index,
            worst_actual=None if index is None else scalar(actual[index]),
            worst_exact=None if index is None else scalar(expected[index]),
            kinds=() if index is None else ("equal",),
        )

    def _bounded(self, tensor: str, rule: str, actual: Array, exact: Array, allowed: Doubles) -> Step:
        if self._brief and _plainly_near(actual, exact, allowed):
            return Step(tensor, self._maker(tensor), rule, True, 0, actual.size)
        found = against_exact(actual, exact.astype(np.longdouble), allowed)
        over = found.used > 1
        wrong, index = int(over.sum()), found.worst_place()
        kinds = [("special values", over & found.special), ("ulp", over & ~found.special)]
        family = self._graph.family_node(tensor)
        if family is not None and RULES[family.operator.op_type].exact:
            kinds = [("equal", over)]  # as the suite calls it, and the lists of what is known
        with np.errstate(invalid="ignore"):
            apart = np.abs(actual.astype(np.longdouble) - found.exact)[found.errors > 0]
        return Step(
            tensor,
            self._maker(tensor),
            rule,
            not wrong,
            wrong,
            actual.size,
            max_error_ulp=float(found.errors.max()),
            bound_used=float(found.used[index]),
            worst_index=index,
            worst_actual=scalar(actual[index]),
            worst_exact=float(found.exact[index]),
            worst_error_ulp=float(found.errors[index]),
            worst_bound_ulp=float(found.limits[index]),
            errors_ulp=found.errors,
            max_error=float(np.nan_to_num(apart, nan=np.inf, posinf=np.inf).max(initial=0)),
            kinds=tuple(name for name, there in kinds if there.any()),
        )


def is_discrete(array: Array) -> bool:
    """Tell whether an array holds what is either equal or not: integers, booleans, strings."""
    return array.dtype.kind in "iubOSUT" or array.dtype == np.bool_


def _plainly_near(actual: Array, expected: Array, allowed: Doubles) -> bool:
    """Whether all numbers are finite and within what is allowed, as float64 tells."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        return bool((apart <= allowed).all())
