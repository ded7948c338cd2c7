"""How far a right runtime may be from the exact value of a tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.families import dtype_of
from ..measure.brief import Brief, Briefed, Table, type_of
from ..measure.numbers import DASH, number
from ..measure.ulp import Doubles, spacing
from .advice import Tolerance, advised
from .envelope import LARGEST, digits_of
from .judgement import Judgement, judged_decisions, judged_floats

_TOP = 5

ROW = ("output", "type", "largest difference", "digits", "rtol", "atol", "undecided")
"""What `TensorNoise.row` holds."""


@dataclass(frozen=True)
class LabelNoise:
    """
    How safe the labels are that scores along the last axis give.

    Attributes
    ----------
    rows
        How many rows of scores.
    undecided, undecided_top
        How many of these have another largest one within the noise, and other five largest ones; of five scores or
        fewer None.
    """

    rows: int
    undecided: int
    undecided_top: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TensorNoise(Briefed):
    """
    How far a right runtime may be from the exact value of a tensor.

    Attributes
    ----------
    name, node
        The tensor, and the node that makes it, in words.
    dtype
        What a runtime holds it in: ``float32``.
    exact
        Its value, floats in float64.
    sigma
        The standard deviation of each element in right runtimes, of that shape; 0 for integers and strings.
    undecided
        Of integers, booleans and strings: which of them rounding may change.
    hangs_on
        The decisions before it that rounding may change, such as quantised values beside a tie, in words.
    """

    name: str
    node: str
    dtype: str
    exact: NDArray[Any]
    sigma: Doubles
    undecided: NDArray[np.bool_] | None = None
    hangs_on: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, ...]:
        """Its figures in a few words (`ROW`): of floats how many rows have another largest one within the noise."""
        figures = [DASH] * 4
        undecided = None if self.undecided is None else int(np.count_nonzero(self.undecided))
        if self.is_float:
            figures = [number(float(f"{x:.2g}")) for x in (self.largest, self.digits, self.rtol, self.atol)]
            undecided = None if self.labels is None else self.labels.undecided
        return (self.name, type_of(self.dtype, self.shape), *figures, number(undecided))

    @property
    def brief(self) -> Brief:
        """Its figures, and what it hangs on."""
        hangs = f"depends on what rounding may change: {', '.join(self.hangs_on)}"
        return Brief(
            "Rounding noise", self.node, None, [Table(ROW, [self.row])], [hangs] if self.hangs_on else []
        )

    @property
    def is_float(self) -> bool:
        """Whether it has roundings at all."""
        return bool(self.exact.dtype == np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.exact.shape)

    @property
    def largest(self) -> float:
        """The largest difference that a right runtime shows: ten standard deviations."""
        return LARGEST * float(np.max(self._finite(self.sigma), initial=0))

    @property
    def relative(self) -> float:
        """The largest difference relative to the value, over the elements that are not 0."""
        return float(np.max(self._relative(), initial=0))

    @property
    def typical_relative(self) -> float:
        """The middle one of these."""
        found = self._relative()
        return float(np.median(found)) if found.size else 0.0

    @property
    def ulp(self) -> float:
        """The largest difference in ULP of the exact value."""
        return float(np.max(self._ulps(), initial=0))

    @property
    def typical_ulp(self) -> float:
        """The middle one of these."""
        found = self._ulps()
        return float(np.median(found)) if found.size else 0.0

    @property
    def digits(self) -> float:
        """Significant decimal digits: the values over the noise, each in the root mean square; inf without noise."""
        return digits_of(self.sigma**2, self.exact) if self.is_float else np.inf

    @cached_property
    def labels(self) -> LabelNoise | None:
        """How safe labels are; None where the last axis has fewer than two scores."""
        if not self.is_float or not self.exact.ndim or self.exact.shape[-1] < 2 or not self.exact.size:
            return None
        rows = int(self.exact.size / self.exact.shape[-1])
        top = None if self.exact.shape[-1] <= _TOP else self._close(_TOP)
        return LabelNoise(rows, self._close(1), top)

    @cached_property
    def tolerance(self) -> Tolerance:
        """What to write into a test."""
        return advised(self._finite(self.exact), self._finite(self.sigma))

    @property
    def rtol(self) -> float:
        """The relative tolerance to write into a test, of one digit."""
        return self.tolerance.rtol

    @property
    def atol(self) -> float:
        """The absolute tolerance to write into a test, of one digit."""
        return self.tolerance.atol

    def judge(self, actual: NDArray[Any]) -> Judgement:
        """
        Tell whether rounding explains another value of this tensor.

        Raises
        ------
        ValueError
            It is of another shape.
        """
        if actual.shape != self.shape:
            message = f"expected {self.name} of shape {self.shape} (got {actual.shape}); nothing is broadcast"
            raise ValueError(message)
        if self.is_float:
            return judged_floats(actual, self.exact, self.sigma, dtype_of(self.dtype), self.hangs_on)
        return judged_decisions(actual, self.exact, self.undecided, self.hangs_on)

    def around(self, other: NDArray[Any]) -> TensorNoise:
        """The noise between this tensor and what another right runtime made of it."""
        exact = other.astype(np.float64) if self.is_float else other
        return replace(self, exact=exact, sigma=np.sqrt(2) * self.sigma)

    def _finite(self, values: NDArray[Any]) -> NDArray[Any]:
        return values[np.isfinite(self.exact)] if self.is_float else np.zeros(0)

    def _relative(self) -> Doubles:
        exact, sigma = self._finite(self.exact), self._finite(self.sigma)
        return np.asarray(LARGEST * sigma[exact != 0] / np.abs(exact[exact != 0]))

    def _ulps(self) -> Doubles:
        if not self.is_float or not self.exact.size:
            return np.zeros(0)
        steps = spacing(self.exact.astype(np.longdouble), dtype_of(self.dtype)).astype(np.float64)
        return np.asarray(LARGEST * self._finite(self.sigma / steps))

    def _close(self, place: int) -> int:
        """How many rows have the numbers on both sides of a place too close to tell."""
        order = np.argsort(-self.exact, -1)[..., place - 1 : place + 1]
        first, second = np.moveaxis(np.take_along_axis(self.exact, order, -1), -1, 0)
        noise = np.sqrt(np.sum(np.take_along_axis(self.sigma, order, -1) ** 2, -1))
        with np.errstate(invalid="ignore"):
            return int(np.count_nonzero(first - second <= LARGEST * noise))
