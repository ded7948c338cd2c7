"""
The families of inputs: what the rows of a case hold.

A family makes a matrix, a row for each line that the operator works along, from a seeded generator; for an
elementwise operator the rows are read as one. Numbers beyond the dtype's range are brought down to it, and
for integers they are rounded. Each row of a family may show another of its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..measure.ulp import is_float, largest, smallest_normal, spacing

Rows = NDArray[Any]
Maker = Callable[[np.random.Generator, int, int, np.dtype[Any]], Rows]
"""From (generator, rows, length, dtype) to the matrix, in float64, or of integers in the dtype itself."""

MASKING = -1e4
"""What some models add to a logit to mask it, besides the lowest number and -inf."""

TOP = 5
"""The k of ties at the k-th place, and of the suite's TopK nodes."""


@dataclass(frozen=True)
class Family:
    """
    A named family.

    Attributes
    ----------
    name, description
        As users see it.
    make
        What makes its rows.
    integers
        Whether it says something for integers as well.
    special
        Whether it holds NaN, infinities or masks: where a family is not asked for the operator's
        arithmetic but for its verdicts on special values.
    """

    name: str
    description: str
    make: Maker
    integers: bool = False
    special: bool = False


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a name as ONNX uses it."""
    others: dict[str, Any] = {"bfloat16": ml_dtypes.bfloat16, "string": object}
    dtype: np.dtype[Any] = np.dtype(others.get(name, name))
    return dtype


def rows_of(family: str, random: np.random.Generator, rows: int, length: int, dtype: str) -> NDArray[Any]:
    """
    Make the matrix of a family in a dtype, of shape (rows, length).

    Raises
    ------
    ValueError
        There is no such family.
    """
    if family not in FAMILIES:
        message = f"expected a family among {', '.join(FAMILIES)} (got {family!r}); choose one of these"
        raise ValueError(message)
    kind = dtype_of(dtype)
    values = FAMILIES[family].make(random, rows, length, kind)
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


def _gaussian(scale: float) -> Maker:
    def make(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
        return scale * random.standard_normal((rows, length))

    return make


# From parts of a ULP over what half, single and double still tell from 0, to beyond.
_ONE_ULP, _PART_OF_ULP = 0.0, -1.0
_GAPS = (_ONE_ULP, _PART_OF_ULP, 1e-4, 0.1, 1.0, 9.0, 16.0, 50.0, 88.0, 104.0, 708.0, 745.0, 1e4)


def _gaps(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    x = random.uniform(-1, 0, (rows, length))
    if not length:
        return x
    # The least that a number of the dtype at 1 can be ahead by.
    ulp = float(spacing(np.array([1.0]), dtype)[0])
    for i in range(rows):
        gap = _GAPS[i % len(_GAPS)]
        winner = int(random.integers(length))
        others = np.where(random.random(length) < 0.5, 0.0, -random.random(length))
        # Nearer than that only numbers near 0 can be, whose exponentials are the same.
        top = 0.0 if gap == _PART_OF_ULP else 1.0
        x[i] = top + others - (ulp if gap == _ONE_ULP else max(gap, 0.0))
        x[i, winner] = ulp / 16 if gap == _PART_OF_ULP else top
    return x


_OFFSETS = (0.0, 1.0, -1.0, 100.0, -100.0, 1e4, -1e4, 1e8, -1e8, 1e20, 1e30, -1e30)


def _offsets(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    top = (largest(dtype) if is_float(dtype) else float(np.iinfo(dtype).max)) / 4
    shift = np.clip([_OFFSETS[i % len(_OFFSETS)] for i in range(rows)], -top, top).reshape(-1, 1)
    x = random.standard_normal((rows, length))
    if is_float(dtype):
        return np.asarray(x + shift)
    whole = np.rint(x)
    if dtype.kind == "u":
        shift, whole = np.abs(shift), np.abs(whole)
    # Added as integers: of the large ones no float64 tells neighbours apart.
    return np.asarray(shift.astype(dtype) + whole.astype(dtype))


_LEVELS = (0.0, 1.0, -1.0, 0.1, 88.0, -88.0, 1000.0, -1000.0, 6e4, -6e4, 1e30, -1e30)


def _equal(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    return np.array([[_LEVELS[i % len(_LEVELS)]] * length for i in range(rows)]).reshape(rows, length)


def _max_finite(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    top = largest(dtype) if is_float(dtype) else float(np.iinfo(dtype).max)
    bottom = -top if is_float(dtype) else float(np.iinfo(dtype).min)
    pool = ([top], [bottom], [top, bottom], [top, 0.0], [bottom, 0.0], [top, bottom, 0.0, 1.0])
    return np.array([random.choice(pool[i % len(pool)], length) for i in range(rows)]).reshape(rows, length)


def _placed(value: float, where: str) -> Maker:
    """Make Gaussian rows with ``value`` at the first, a middle, the last, one, some or all places."""

    def make(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
        x = random.standard_normal((rows, length))
        if not length:
            return x
        for i in range(rows):
            places: Any = {
                "first": [0],
                "middle": [length // 2],
                "last": [length - 1],
                "one": [i % length],
                "some": random.choice(length, max(length // 2, 1), replace=False),
                "all": np.arange(length),
            }[where]
            x[i, places] = value
        return x

    return make


def _subnormal(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    small = smallest_normal(dtype)
    # The smaller ones of float64 itself are kept by scaling a number that is none.
    return np.asarray(small * random.uniform(-1, 1, (rows, length)))


def _minus_zero(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    return np.asarray(random.choice([-0.0, 0.0, -1.0], (rows, length), p=[0.6, 0.2, 0.2]))


def _ties(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    return np.asarray(random.integers(0, 3, (rows, length)).astype(np.float64))


def _ties_at_k(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    """Fewer than k elements ahead of a crowd of equals, of which the k-th is one."""
    x = np.zeros((rows, length))
    for i in range(rows):
        order = random.permutation(length)
        x[i, order[: min(TOP - 1 - i % TOP, length)]] = 2.0
        x[i, order[: length // 2]] += 1.0
    return x


def _sorted(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    return np.sort(3 * random.standard_normal((rows, length)), axis=1)


def _reversed(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
    return _sorted(random, rows, length, dtype)[:, ::-1]


def masks(random: np.random.Generator, rows: int, length: int, *, full: bool) -> NDArray[np.bool_]:
    """Return which elements are kept: at least one in each row, but none in every third where ``full``."""
    kept = random.random((rows, length)) < 0.6
    if length:
        kept[np.arange(rows), random.integers(length, size=rows)] = True
    if full:
        kept[::3] = False
    return kept


def _masked(kind: str) -> Maker:
    def make(random: np.random.Generator, rows: int, length: int, dtype: np.dtype[Any]) -> Rows:
        x = random.standard_normal((rows, length))
        kept = masks(random, rows, length, full=kind == "rows")
        lowest = -largest(dtype)
        fill = (MASKING, lowest, 2 * lowest, -np.inf) if kind == "additive" else (-np.inf,)
        added = np.array([fill[i % len(fill)] for i in range(rows)]).reshape(-1, 1)
        with np.errstate(over="ignore"):
            return np.where(kept, x, x + added)

    return make


_ALL = (
    Family("gaussian-0.01", "Gaussian of standard deviation 0.01", _gaussian(0.01)),
    Family("gaussian-1", "Gaussian of standard deviation 1", _gaussian(1), integers=True),
    Family("gaussian-3", "Gaussian of standard deviation 3", _gaussian(3), integers=True),
    Family("gaussian-30", "Gaussian of standard deviation 30: long tails", _gaussian(30), integers=True),
    Family(
        "gaussian-1000", "Gaussian of standard deviation 1000: one winner", _gaussian(1000), integers=True
    ),
    Family("gaps", "a winner ahead by one spacing at 1 up to 10^4, beyond every underflow", _gaps),
    Family(
        "offsets", "Gaussian rows shifted by up to ±10^30, or a quarter of the range", _offsets, integers=True
    ),
    Family("equal", "all elements equal, at levels up to ±10^30", _equal, integers=True),
    Family("max-finite", "the largest and the lowest finite number, 0 and 1", _max_finite, integers=True),
    Family("minus-inf-one", "-inf at one place", _placed(-np.inf, "one"), special=True),
    Family("minus-inf-some", "-inf at half of the places", _placed(-np.inf, "some"), special=True),
    Family("minus-inf-all", "-inf at every place", _placed(-np.inf, "all"), special=True),
    Family("plus-inf-one", "+inf at one place", _placed(np.inf, "one"), special=True),
    Family("plus-inf-some", "+inf at half of the places", _placed(np.inf, "some"), special=True),
    Family("nan-first", "NaN at the first place", _placed(np.nan, "first"), special=True),
    Family("nan-middle", "NaN at a middle place", _placed(np.nan, "middle"), special=True),
    Family("nan-last", "NaN at the last place", _placed(np.nan, "last"), special=True),
    Family("subnormal", "subnormal numbers of either sign", _subnormal),
    Family("minus-zero", "-0.0 among 0 and -1", _minus_zero),
    Family("ties", "the numbers 0, 1 and 2, so many equals", _ties, integers=True),
    Family("ties-at-k", "equals around the fifth largest", _ties_at_k, integers=True),
    Family("sorted", "Gaussian of standard deviation 3, ascending", _sorted, integers=True),
    Family("reversed", "Gaussian of standard deviation 3, descending", _reversed, integers=True),
    Family(
        "mask-additive",
        "-10^4, the lowest number once or twice, or -inf added",
        _masked("additive"),
        special=True,
    ),
    Family("mask-boolean", "-inf wherever a boolean mask says so", _masked("boolean"), special=True),
    Family("masked-rows", "every third row masked entirely", _masked("rows"), special=True),
    Family(
        "non-contiguous", "Gaussian, fed as views: strided, reversed, read-only", _gaussian(3), integers=True
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
