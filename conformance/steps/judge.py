"""
The verdicts: each step of a model against what it should have made of the runtime's own values.

- A softmax-family node: its output against the exact one (`softops.opset`'s oracle) of the input it got, within the
  bound that is derived in `softops.conformance.measure.bounds`.
- Integers, booleans, strings (labels, indices): against our backend, equal or wrong, but where rounding may change them
  between the values that are known and these.
- What is quantised into integers: within half a step of what was rounded, which allows another one beside a tie.
- Floats made by anything else: against a run in float64, within the noise of a right runtime
  (`softops.conformance.rounding`).
- Outputs that change when a runtime is asked for the values in between: against a run in float64 from end to end, or
  against those that it then gives, within the noise; the rows of a softmax by their sums as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.bounds import family_allowance, loosely, row_totals
from ..measure.errors import against_exact
from ..measure.metrics import first_place, scalar
from ..measure.ulp import Doubles, is_discrete, is_float, spacing, unit_roundoff
from ..rounding.envelope import LARGEST, LARGEST_RMS
from ..rounding.tensor_noise import TensorNoise
from ..verdicts.rules import RULES
from .exact import exact_output
from .graph import Arrays, ModelGraph
from .noise import known_noise
from .quantised import wrong_steps
from .runs import CutRun, WholeRun, changed_outputs
from .step import Bounds, Step
from .undecided import Rows, undecided

Array = NDArray[Any]

_RTOL = 1e-3
"""Where a model cannot be run with noise: of the largest of a row, as in ONNX's own tests."""


def judged(
    graph: ModelGraph,
    values: Arrays,
    cut: CutRun,
    bounds: Bounds,
    names: Collection[str],
    *,
    brief: bool = False,
) -> Iterator[Step]:
    """
    Judge tensors by the runtime's own values.

    Parameters
    ----------
    values
        All that is known of a run in the runtime: inputs, cuts and outputs.
    cut
        What our backend makes of these, for each tensor from the values before it, and the noise of that.
    names
        What is judged.
    brief
        Errors are measured of what is wrong alone: in extended precision they take most of the time.
    """
    judge = _Judge(graph, bounds, brief=brief)
    # In the order of the graph.
    made = [name for name in graph.producers if name in names]
    for name in dict.fromkeys((*made, *names)):
        if values[name].size:
            yield judge.step(name, values, cut)


def judged_end_to_end(
    graph: ModelGraph, feeds: Arrays, whole: WholeRun, cut: CutRun, bounds: Bounds
) -> Iterator[Step]:
    """
    Judge the outputs that were others in a run of the whole than in one that was asked for the cuts as well.

    An output is right when it is near enough to a run in float64, or to the runtime's own from which each step was
    judged.
    """
    judge = _Judge(graph, bounds)
    ours = {**feeds, **whole.ours}
    for name in changed_outputs(whole, cut):
        noise = known_noise(whole.noises, name)
        step = judge.end_to_end(name, whole.theirs[name], ours, noise)
        if not step.passed and noise is not None:
            stepwise = judge.end_to_end(
                name, whole.theirs[name], {**feeds, **cut.theirs}, noise.around(cut.theirs[name])
            )
            step = stepwise if stepwise.passed else step
        yield step
        if (sums := judge.row_sums(name, whole.theirs[name], ours)) is not None:
            yield sums


class _Judge:
    """Judges the tensors of one model."""

    def __init__(self, graph: ModelGraph, bounds: Bounds, *, brief: bool = False) -> None:
        self._brief = brief
        self._graph = graph
        self._bounds = bounds

    def step(self, tensor: str, values: Arrays, cut: CutRun) -> Step:
        """Judge ``tensor`` as made from the runtime's own values; ``cut`` has what our backend makes of them."""
        actual, family = values[tensor], self._graph.family_node(tensor)
        inputs = None if family is None else self._graph.inputs_of(family, values)
        exact = None
        if family is not None and inputs is not None and is_float(actual.dtype):
            exact = exact_output(family, inputs)
        if exact is not None:
            allowed = exact.allowed
            if self._bounds.max_ulp is not None:
                allowed = self._bounds.max_ulp * spacing(exact.value, actual.dtype).astype(np.float64)
            return self._bounded(tensor, "exact value", actual, exact.value, allowed)
        expected = cut.recomputed[tensor]
        wrong = wrong_steps(
            self._graph, tensor, actual, values, cut.recomputed, lambda name: _slack(cut, name)
        )
        if wrong is not None:
            return self._equal(tensor, actual, expected, ~wrong, "quantised")
        if is_discrete(actual):
            decided = undecided(self._graph, tensor, expected, values)
            step = self._equal(tensor, actual, expected, decided)
            return (
                step
                if step.passed
                else self._decided(step, actual, expected, decided, known_noise(cut.noises, tensor))
            )
        noise = known_noise(cut.noises, tensor)
        if noise is None:
            return self._bounded(tensor, "rtol", actual, expected, loosely(expected, _RTOL))
        return self._noisy(tensor, "noise", actual, noise)

    def end_to_end(self, tensor: str, actual: Array, ours: Arrays, noise: TensorNoise | None) -> Step:
        """
        Judge ``tensor`` by the noise of a whole run.

        Used where the runtime's outputs are not those it gives when it is asked for the cuts as well. A decision that
        hangs on rounding may fall either way.
        """
        expected = ours[tensor]
        if is_discrete(actual):
            decided = undecided(self._graph, tensor, expected, ours)
            return self._decided(
                self._equal(tensor, actual, expected, decided), actual, expected, decided, noise
            )
        if noise is None:
            return self._bounded(tensor, "end to end", actual, expected, 2 * loosely(expected, _RTOL))
        return self._noisy(tensor, "end to end", actual, noise)

    def _decided(
        self, step: Step, actual: Array, expected: Array, decided: Rows | None, noise: TensorNoise | None
    ) -> Step:
        """A step of decisions, right where rounding may change those that differ."""
        if step.passed or noise is None:
            return step
        masks = [
            mask for mask in (decided, noise.undecided) if mask is not None and mask.shape == actual.shape
        ]
        either = np.logical_or.reduce(masks) if masks else None
        step = self._equal(step.tensor, actual, expected, either, step.rule)
        return step if step.passed else _hanging(step, noise)

    def _noisy(self, tensor: str, rule: str, actual: Array, noise: TensorNoise) -> Step:
        """Judge floats by their noise: each by itself, and all in the root mean square."""
        step = self._bounded(tensor, rule, actual, noise.exact, LARGEST * noise.sigma)
        if not step.passed:
            return _hanging(step, noise)
        if self._brief and step.bound_used is None:
            return step
        found = noise.judge(actual)
        if found.explained:
            return step
        far = int(
            np.count_nonzero(np.abs(actual.astype(np.float64) - noise.exact) > LARGEST_RMS * noise.sigma)
        )
        beyond = replace(
            step,
            passed=False,
            wrong=max(far, 1),
            bound_used=found.rms / LARGEST_RMS,
            kinds=("ulp",),
            reason=found.reason,
        )
        return _hanging(beyond, noise)

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


def _slack(cut: CutRun, tensor: str) -> Doubles:
    """How far what is quantised may be off."""
    noise = known_noise(cut.noises, tensor)
    if noise is None or not noise.is_float:
        return loosely(cut.recomputed[tensor], _RTOL)
    return np.asarray(LARGEST * noise.sigma)


def _hanging(step: Step, noise: TensorNoise) -> Step:
    """A step beyond its bound, not settled behind decisions that rounding may change."""
    if not noise.hangs_on:
        return step
    return replace(
        step, unsettled=f"{step.tensor} depends on what rounding may change: {', '.join(noise.hangs_on)}"
    )


def _plainly_near(actual: Array, expected: Array, allowed: Doubles) -> bool:
    """Whether all numbers are finite and within a fifth of what is allowed, as float64 tells."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        return bool((apart <= LARGEST_RMS / LARGEST * allowed).all())
