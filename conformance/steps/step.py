"""The verdict on one step of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..measure.metrics import Scalar
from ..measure.ulp import Doubles


@dataclass(frozen=True)
class Bounds:
    """
    What a user sets of the bounds: ``max_ulp`` of `validate`.

    Raises
    ------
    ValueError
        It is negative.
    """

    max_ulp: float | None = None

    def __post_init__(self) -> None:
        if self.max_ulp is not None and not self.max_ulp >= 0:
            message = f"expected max_ulp of 0 or more (got {self.max_ulp!r}); pass for instance max_ulp=64"
            raise ValueError(message)


@dataclass(frozen=True, eq=False)
class Step:
    """
    The verdict on one step.

    Attributes
    ----------
    tensor, operator
        What was judged, and the operator that made it (``Softmax-13``, ``Gemm``).
    rule
        ``exact value``, ``noise``, ``equal``, ``quantised``, ``end to end`` or ``sum of 1``: what it was judged by;
        ``rtol`` where a model cannot be run with noise.
    passed
        Whether every element keeps the bound.
    wrong, size
        Number of elements beyond the bound, and of all.
    max_error_ulp
        Largest error in ULP of the exact value; None for integers and strings.
    bound_used
        The largest share of its bound that any element uses; above 1 is wrong.
    worst_index, worst_actual, worst_exact, worst_error_ulp, worst_bound_ulp
        The element that uses most of its bound; None where integers or strings are all equal.
    errors_ulp
        All errors in ULP, float64; empty for integers and strings.
    max_error
        The largest error as a difference; None for integers and strings, infinite beside a NaN or an infinity.
    kinds
        Which of the suite's verdicts (`softops.conformance.verdicts.verdicts.VERDICTS`) it fails by.
    known
        The known deviation of the runtime that it is; empty for none.
    reason
        What is wrong, where it is no single element.
    unsettled
        Why it cannot be told whether the runtime or what it is compared with is wrong; empty where it can.
    """

    tensor: str
    operator: str
    rule: str
    passed: bool
    wrong: int
    size: int
    max_error_ulp: float | None = None
    bound_used: float | None = None
    worst_index: tuple[int, ...] | None = None
    worst_actual: Scalar | None = None
    worst_exact: Scalar | None = None
    worst_error_ulp: float | None = None
    worst_bound_ulp: float | None = None
    errors_ulp: Doubles = field(default_factory=lambda: np.empty(0), repr=False)
    max_error: float | None = None
    kinds: tuple[str, ...] = ()
    known: str = ""
    unsettled: str = ""
    reason: str = ""

    def __str__(self) -> str:
        if self.verdict != "right":
            return f"{self.verdict}: {self.known or self.unsettled or self.message}"
        used = "" if self.bound_used is None else f", {100 * self.bound_used:.3g} % of its bound used"
        return f"right: {self.tensor}: {self.operator} gave {self.size:,} elements{used}"

    @property
    def verdict(self) -> Literal["right", "known", "cannot tell", "wrong"]:
        """Right within its bound, and else wrong, unless that is known or not settled."""
        if self.passed:
            return "right"
        if self.known:
            return "known"
        return "cannot tell" if self.unsettled else "wrong"

    @property
    def message(self) -> str:
        """One sentence on what is wrong."""
        if self.reason:
            return f"{self.tensor}: {self.operator} gave {self.reason} ({self.wrong} of {self.size} elements are wrong)"
        where = f"{self.tensor}{list(self.worst_index or ())}"
        text = f"{where}: {self.operator} gave {self.worst_actual!r}, expected {self.worst_exact!r}"
        # Beside a NaN or an infinity there is no distance to speak of.
        if self.worst_bound_ulp is not None and np.isfinite(self.worst_error_ulp or 0):
            text += f" within {self.worst_bound_ulp:.3g} ULP and was {self.worst_error_ulp:.3g} away"
        return f"{text} ({self.wrong} of {self.size} elements are wrong)"
