"""
The families of inputs: what the rows of a case hold.

A family makes a matrix, a row for each line that the operator works along, from a seeded generator; for an
elementwise operator the rows are read as one. Numbers beyond the dtype's range are brought down to it, and
for integers they are rounded. Each row of a family may show another of its cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..errors import check_choice
from ..measure.ulp import is_float, largest
from . import rows


@dataclass(frozen=True)
class Family:
    """
    A named family, with the description that users see, and what makes its rows.

    ``integers`` says that it is of use for integers as well; ``special`` that it holds NaN, infinities or masks, and so
    is not asked for the operator's arithmetic but for its verdicts on special values.
    """

    name: str
    description: str
    make: rows.Maker
    integers: bool = False
    special: bool = False


_ALL = (
    Family("gaussian-0.01", "Gaussian of standard deviation 0.01", rows.gaussian(0.01)),
    Family("gaussian-1", "Gaussian of standard deviation 1", rows.gaussian(1), integers=True),
    Family("gaussian-3", "Gaussian of standard deviation 3", rows.gaussian(3), integers=True),
    Family("gaussian-30", "Gaussian of standard deviation 30: long tails", rows.gaussian(30), integers=True),
    Family(
        "gaussian-1000", "Gaussian of standard deviation 1000: one winner", rows.gaussian(1000), integers=True
    ),
    Family("gaps", "a winner ahead by one spacing at 1 up to 10^4, beyond every underflow", rows.gaps),
    Family(
        "offsets",
        "Gaussian rows shifted by up to ±10^30, or a quarter of the range",
        rows.offsets,
        integers=True,
    ),
    Family("equal", "all elements equal, at levels up to ±10^30", rows.equal, integers=True),
    Family("max-finite", "the largest and the lowest finite number, 0 and 1", rows.max_finite, integers=True),
    Family("minus-inf-one", "-inf at one place", rows.placed(-np.inf, "one"), special=True),
    Family("minus-inf-some", "-inf at half of the places", rows.placed(-np.inf, "some"), special=True),
    Family("minus-inf-all", "-inf at every place", rows.placed(-np.inf, "all"), special=True),
    Family("plus-inf-one", "+inf at one place", rows.placed(np.inf, "one"), special=True),
    Family("plus-inf-some", "+inf at half of the places", rows.placed(np.inf, "some"), special=True),
    Family("nan-first", "NaN at the first place", rows.placed(np.nan, "first"), special=True),
    Family("nan-middle", "NaN at a middle place", rows.placed(np.nan, "middle"), special=True),
    Family("nan-last", "NaN at the last place", rows.placed(np.nan, "last"), special=True),
    Family("subnormal", "subnormal numbers of either sign", rows.subnormal),
    Family("minus-zero", "-0.0 among 0 and -1", rows.minus_zero),
    Family("ties", "the numbers 0, 1 and 2, so many equals", rows.ties, integers=True),
    Family("ties-at-k", "equals around the fifth largest", rows.ties_at_k, integers=True),
    Family("sorted", "Gaussian of standard deviation 3, ascending", rows.ascending, integers=True),
    Family("reversed", "Gaussian of standard deviation 3, descending", rows.descending, integers=True),
    Family(
        "mask-additive",
        "-10^4, the lowest number once or twice, or -inf added",
        rows.masked("additive"),
        special=True,
    ),
    Family("mask-boolean", "-inf wherever a boolean mask says so", rows.masked("boolean"), special=True),
    Family("masked-rows", "every third row masked entirely", rows.masked("rows"), special=True),
    Family(
        "non-contiguous",
        "Gaussian, fed as views: strided, reversed, read-only",
        rows.gaussian(3),
        integers=True,
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _ALL}
"""Every family by name."""

NON_CONTIGUOUS = "non-contiguous"


def as_view(x: NDArray[Any], seed: int) -> NDArray[Any]:
    """Return the same array with other strides: every other element, backwards or Fortran order; read-only."""
    if not x.ndim:
        return x
    kind = seed % 3
    if kind == 0:
        doubled = np.repeat(x, 2, axis=-1)
        view = doubled[..., ::2]
    elif kind == 1:
        view = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    else:
        view = np.asfortranarray(x)
    view.flags.writeable = False
    return view


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a name as ONNX uses it."""
    others: dict[str, Any] = {"bfloat16": ml_dtypes.bfloat16, "string": object}
    dtype: np.dtype[Any] = np.dtype(others.get(name, name))
    return dtype


def rows_of(family: str, random: np.random.Generator, count: int, length: int, dtype: str) -> NDArray[Any]:
    """Make the matrix of a family in a dtype, of shape (count, length)."""
    check_choice("a family", family, FAMILIES)
    kind = dtype_of(dtype)
    values = FAMILIES[family].make(random, (count, length), kind)
    with np.errstate(over="ignore", invalid="ignore"):
        if is_float(kind):
            top = largest(kind)
            return np.where(np.isfinite(values), np.clip(values, -top, top), values).astype(kind)
        if values.dtype == kind:
            return values
        limits = np.iinfo(kind)
        whole = np.rint(np.abs(values) if kind.kind == "u" else values)
        # The largest int64 is no float64: what reaches it is put there by hand.
        inside = np.where(np.abs(whole) < 2.0**62, np.clip(whole, limits.min, limits.max), 0).astype(kind)
    return np.where(whole >= 2.0**62, limits.max, np.where(whole <= -(2.0**62), limits.min, inside)).astype(
        kind
    )
