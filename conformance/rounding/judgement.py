"""The verdict on a value of a tensor whose noise is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..measure.metrics import Scalar, largest_place, scalar
from ..measure.ulp import Doubles, largest
from .envelope import LARGEST, largest_rms

Array = NDArray[Any]

_FEW_OF = 0.02

Verdict = Literal["equal", "explained by rounding", "not explained", "decisions differ", "not decidable"]


@dataclass(frozen=True)
class Judgement:
    """
    What rounding makes of a difference.

    Attributes
    ----------
    verdict
        ``equal``: every element is the exact value, rounded. ``explained by rounding``: no element is further off than
        ten standard deviations, nor all together further than two in the root mean square, 3.5 of fewer than 16
        numbers; or labels differ where the scores are too close to tell. ``not explained``, and of integers and strings
        ``decisions differ``: beyond that. ``not decidable``: beyond that, behind a decision that rounding may change.
    ratio, rms
        The largest difference over the standard deviation there, and its root mean square; 0 for integers and strings.
    worst_index, worst_actual, worst_expected
        The element furthest off, in standard deviations; None where all are equal.
    differing
        How many elements differ beyond what rounding explains.
    labels_differ
        Of scores along the last axis: how many rows have another largest one.
    reason
        Words on what is wrong; empty where nothing is.
    """

    verdict: Verdict
    ratio: float = 0.0
    rms: float = 0.0
    worst_index: tuple[int, ...] | None = None
    worst_actual: Scalar | None = None
    worst_expected: Scalar | None = None
    differing: int = 0
    labels_differ: int = 0
    reason: str = ""

    @property
    def explained(self) -> bool:
        """Whether it is equal, or explained by rounding."""
        return self.verdict in ("equal", "explained by rounding")


def judged_floats(
    actual: Array, exact: Doubles, sigma: Doubles, dtype: np.dtype[Any], hangs_on: tuple[str, ...]
) -> Judgement:
    """Judge floats: finite ones by their distance in standard deviations, all others by what they are."""
    if not actual.size:
        return Judgement("equal")
    given = actual.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(dtype).astype(np.float64)
        # From half a step beyond the largest number on, infinity and that number may both be right.
        beyond = np.isfinite(exact) & (np.abs(exact) + LARGEST * sigma >= largest(dtype))
        overflows = beyond & (np.sign(given) == np.sign(exact)) & (np.abs(given) >= largest(dtype))
        ratio = np.abs(given - exact) / sigma
    same = (given == rounded) | (np.isnan(given) & np.isnan(exact)) | overflows
    labels = _labels_apart(given, exact)
    if same.all():
        return Judgement("equal")
    ratio = np.where(same & ~np.isfinite(ratio), 0, np.where(np.isnan(ratio), np.inf, ratio))
    ratio = np.where(np.isfinite(exact) | same, ratio, np.inf)
    index, finite = largest_place(ratio), ratio[np.isfinite(ratio)]
    rms = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
    most = largest_rms(finite.size)
    largest_ratio, differing = float(ratio[index]), int(np.count_nonzero(ratio > LARGEST))
    right = largest_ratio <= LARGEST and (rms <= most or _are_alike(exact))
    worst = (index, scalar(actual[index]), float(exact[index]))
    verdict: Verdict = "explained by rounding" if right else "not decidable" if hangs_on else "not explained"
    reason = "" if right else _reason(given[index], exact[index], largest_ratio, rms, most, hangs_on)
    return Judgement(verdict, largest_ratio, rms, *worst, 0 if right else max(differing, 1), labels, reason)


def _reason(
    actual: float, exact: float, ratio: float, rms: float, most: float, hangs_on: tuple[str, ...]
) -> str:
    behind = f"; it depends on decisions that rounding may change: {', '.join(hangs_on)}" if hangs_on else ""
    if np.isnan(actual) != np.isnan(exact):
        return (
            "a NaN where a number is expected" if np.isnan(actual) else "a number where NaN is expected"
        ) + behind
    if np.isinf(actual) != np.isinf(exact):
        return f"{actual:g} where {exact:g} is expected{behind}"
    if ratio > LARGEST:
        return f"{ratio:.3g} standard deviations off, where rounding explains {LARGEST:g}{behind}"
    return f"a root mean square of {rms:.2g} standard deviations, where rounding explains {most:g}{behind}"


def _are_alike(exact: Doubles) -> bool:
    """
    Whether most numbers are the same few ones over and over, as in networks of constant weights.

    Their errors are the same, too, and a mean over them says no more than one does.
    """
    numbers = exact[np.isfinite(exact) & (exact != 0)]
    return bool(np.unique(numbers.astype(np.float32)).size < _FEW_OF * numbers.size)


def judged_decisions(
    actual: Array, exact: Array, undecided: NDArray[np.bool_] | None, hangs_on: tuple[str, ...]
) -> Judgement:
    """Judge integers, booleans and strings: equal, or another one where rounding may change it."""
    differs = np.asarray(actual != exact)
    if not differs.any():
        return Judgement("equal")
    outside = differs if undecided is None else differs & ~undecided
    index = largest_place(outside if outside.any() else differs)
    count = int(outside.sum())
    verdict: Verdict = "decisions differ" if count else "explained by rounding"
    reason = f"{count} of {differs.size} differ where rounding changes nothing" if count else ""
    if count and hangs_on:
        verdict = "not decidable"
        reason += f"; they hang on decisions that rounding may change: {', '.join(hangs_on)}"
    return Judgement(
        verdict,
        worst_index=index,
        worst_actual=scalar(actual[index]),
        worst_expected=scalar(exact[index]),
        differing=count,
        labels_differ=int(differs.sum()),
        reason=reason,
    )


def _labels_apart(given: Doubles, exact: Doubles) -> int:
    if not exact.ndim or exact.shape[-1] < 2 or np.isnan(exact).any() or np.isnan(given).any():
        return 0
    return int(np.count_nonzero(given.argmax(-1) != exact.argmax(-1)))
