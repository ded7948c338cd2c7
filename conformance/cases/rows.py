"""
What makes the rows of a family of inputs.

A maker takes a seeded generator, the shape (rows, length) and the dtype, and gives a matrix in float64, or of integers
in the dtype itself. Each row may show another of the family's cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.ulp import is_float, largest, smallest_normal, spacing

Generator = np.random.Generator
DType = np.dtype[Any]
Rows = NDArray[Any]
Shape = tuple[int, int]
Maker = Callable[[Generator, Shape, DType], Rows]

MASKING = -1e4
"""What some models add to a logit to mask it, besides the lowest number and -inf."""

TOP = 5
"""The k of ties at the k-th place, and of the suite's TopK nodes."""


def gaussian(scale: float) -> Maker:
    """Make numbers of that standard deviation."""
    return lambda random, shape, dtype: scale * random.standard_normal(shape)


# From parts of a ULP over what half, single and double still tell from 0, to beyond.
_ONE_ULP, _PART_OF_ULP = 0.0, -1.0
_GAPS = (_ONE_ULP, _PART_OF_ULP, 1e-4, 0.1, 1.0, 9.0, 16.0, 50.0, 88.0, 104.0, 708.0, 745.0, 1e4)


def gaps(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make a winner ahead by one of `_GAPS`."""
    x = random.uniform(-1, 0, shape)
    rows, length = shape
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


def offsets(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make Gaussian rows, each shifted by one of `_OFFSETS`."""
    top = (largest(dtype) if is_float(dtype) else float(np.iinfo(dtype).max)) / 4
    shift = np.clip(_in_turn(_OFFSETS, shape[0]), -top, top)
    x = random.standard_normal(shape)
    if is_float(dtype):
        return np.asarray(x + shift)
    whole = np.rint(x)
    if dtype.kind == "u":
        shift, whole = np.abs(shift), np.abs(whole)
    # Added as integers: of the large ones no float64 tells neighbours apart.
    return np.asarray(shift.astype(dtype) + whole.astype(dtype))


_LEVELS = (0.0, 1.0, -1.0, 0.1, 88.0, -88.0, 1000.0, -1000.0, 6e4, -6e4, 1e30, -1e30)


def equal(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make rows of one number, one of `_LEVELS`."""
    return np.repeat(_in_turn(_LEVELS, shape[0]), shape[1], axis=1)


def max_finite(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make rows of the largest and the lowest number, 0 and 1."""
    top = largest(dtype) if is_float(dtype) else float(np.iinfo(dtype).max)
    bottom = -top if is_float(dtype) else float(np.iinfo(dtype).min)
    pool = ([top], [bottom], [top, bottom], [top, 0.0], [bottom, 0.0], [top, bottom, 0.0, 1.0])
    return np.array([random.choice(pool[i % len(pool)], shape[1]) for i in range(shape[0])]).reshape(shape)


def placed(value: float, where: str) -> Maker:
    """Make Gaussian rows with ``value`` at the first, a middle, the last, one, some or all places."""

    def make(random: Generator, shape: Shape, dtype: DType) -> Rows:
        x, length = random.standard_normal(shape), shape[1]
        for i in range(shape[0] if length else 0):
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


def subnormal(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make subnormal numbers; those of float64 itself are kept by scaling a number that is none."""
    return np.asarray(smallest_normal(dtype) * random.uniform(-1, 1, shape))


def minus_zero(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make zeros of either sign, and -1."""
    return np.asarray(random.choice([-0.0, 0.0, -1.0], shape, p=[0.6, 0.2, 0.2]))


def ties(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make few numbers, so many equals."""
    return np.asarray(random.integers(0, 3, shape).astype(np.float64))


def ties_at_k(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make fewer than k elements ahead of a crowd of equals, of which the k-th is one."""
    x, length = np.zeros(shape), shape[1]
    for i in range(shape[0]):
        order = random.permutation(length)
        x[i, order[: min(TOP - 1 - i % TOP, length)]] = 2.0
        x[i, order[: length // 2]] += 1.0
    return x


def ascending(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make sorted rows."""
    return np.sort(3 * random.standard_normal(shape), axis=1)


def descending(random: Generator, shape: Shape, dtype: DType) -> Rows:
    """Make rows sorted the other way round."""
    return ascending(random, shape, dtype)[:, ::-1]


def masks(random: Generator, rows: int, length: int, *, full: bool) -> NDArray[np.bool_]:
    """Return which elements are kept: at least one in each row, but none in every third where ``full``."""
    kept = random.random((rows, length)) < 0.6
    if length:
        kept[np.arange(rows), random.integers(length, size=rows)] = True
    if full:
        kept[::3] = False
    return kept


def masked(kind: str) -> Maker:
    """Make Gaussian rows with masks: additive, boolean, or of whole rows."""

    def make(random: Generator, shape: Shape, dtype: DType) -> Rows:
        x = random.standard_normal(shape)
        kept = masks(random, *shape, full=kind == "rows")
        lowest = -largest(dtype)
        fill = (MASKING, lowest, 2 * lowest, -np.inf) if kind == "additive" else (-np.inf,)
        with np.errstate(over="ignore"):
            return np.where(kept, x, x + _in_turn(fill, shape[0]))

    return make


def _in_turn(values: tuple[float, ...], rows: int) -> Rows:
    """Return a column with one of the values in each row."""
    return np.array([values[i % len(values)] for i in range(rows)]).reshape(-1, 1)
