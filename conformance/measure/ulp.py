"""
Distances between floating-point numbers in units in the last place (ULP).

Conventions. The numbers of a dtype that are not NaN stand in one row, from −inf to +inf; the distance of two
of them is how many steps lie between. Neighbours are 1 apart, across a power of two and from the largest
finite number to infinity as well; −0 and +0 are the same place, 0 apart, and the smallest subnormals of
either sign are 2 apart. NaN equals NaN, whatever its bits: 0 apart. NaN against a number is the largest value
there is, 2⁶⁴−1. Distances are counted in the arrays' own dtype (float16, bfloat16, float32 or float64): a
float16 pair measured in float32 would turn one rounding into 8192 steps. Dtypes and shapes must be equal;
nothing is broadcast or converted.

An error against an exact value (:func:`ulp_error`) is a fraction of a ULP instead: the ULP is the spacing of
the dtype at the exact value, and below the smallest normal number the spacing of the subnormals.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]

NAN_DISTANCE = np.iinfo(np.uint64).max
"""How far NaN is from a number."""


class _Format(NamedTuple):
    """What a binary floating-point format is made of."""

    bits: np.dtype[Any]  # unsigned integer of the same size
    fraction: int  # bits of the fraction
    exponent_min: int  # of the smallest normal number
    exponent_max: int  # of the largest finite number


_FORMATS = {
    np.dtype(np.float16): _Format(np.dtype(np.uint16), 10, -14, 15),
    np.dtype(ml_dtypes.bfloat16): _Format(np.dtype(np.uint16), 7, -126, 127),
    np.dtype(np.float32): _Format(np.dtype(np.uint32), 23, -126, 127),
    np.dtype(np.float64): _Format(np.dtype(np.uint64), 52, -1022, 1023),
}


def ulp_distance(actual: ArrayLike, expected: ArrayLike) -> NDArray[np.uint64]:
    """
    Count the representable numbers from each element of ``actual`` to that of ``expected``.

    Parameters
    ----------
    actual, expected
        Arrays of the same shape and the same dtype: float16, bfloat16, float32 or float64.

    Returns
    -------
    ndarray
        uint64, of that shape. The conventions stand at the top of this module.

    Raises
    ------
    TypeError
        The dtypes differ, or are not among these.
    ValueError
        The shapes differ.
    """
    left, right = _native(actual), _native(expected)
    if left.dtype != right.dtype:
        message = (
            f"expected two arrays of one dtype (got {left.dtype} and {right.dtype}); "
            "round the wider one first, with .astype"
        )
        raise TypeError(message)
    form = _format_of(left.dtype)
    _check_shapes(left, right)

    sign = form.bits.type(1 << (form.bits.itemsize * 8 - 1))
    left_bits, right_bits = left.view(form.bits), right.view(form.bits)
    # 64 bits unsigned hold even the way from −inf to +inf in float64.
    left_size = (left_bits & ~sign).astype(np.uint64)
    right_size = (right_bits & ~sign).astype(np.uint64)
    same_side = (left_bits & sign) == (right_bits & sign)
    larger, smaller = np.maximum(left_size, right_size), np.minimum(left_size, right_size)
    # Of NaN patterns the sum may wrap around; their places are overwritten below.
    distance = np.asarray(np.where(same_side, larger - smaller, larger + smaller))

    # Told by the bits: np.isnan warns of a signalling bfloat16 NaN.
    infinity = int(np.array(np.inf, left.dtype).view(form.bits))
    left_nan, right_nan = left_size > infinity, right_size > infinity
    distance[left_nan & right_nan] = 0
    distance[left_nan ^ right_nan] = NAN_DISTANCE
    return distance


def ulp_error(actual: ArrayLike, exact: NDArray[np.longdouble]) -> NDArray[np.float64]:
    """
    Measure how far each element of ``actual`` is from the exact value, in ULP of its own dtype.

    ``|actual − exact| / ulp(exact)``, where ``ulp(exact)`` is the spacing of ``actual``'s dtype at
    ``max(|exact|, smallest normal number)``. A correctly rounded result has an error of at most 0.5.

    Parameters
    ----------
    actual
        float16, bfloat16, float32 or float64.
    exact
        ``np.longdouble``, of the same shape: the value before it is rounded.

    Returns
    -------
    ndarray
        float64, of that shape. 0 where both are NaN, both the same infinity, or ``actual`` is the
        infinity that a finite exact value beyond the largest number rounds to; inf where only one is NaN
        or infinite.

    Raises
    ------
    TypeError
        The dtype of ``actual`` is not among these, or ``exact`` is not ``np.longdouble``.
    ValueError
        The shapes differ.

    Notes
    -----
    The difference is taken in ``np.longdouble``. Where that has 64 bits of precision an error in float64 is
    good to 2⁻¹¹ ULP; where it is float64 itself, errors of float64 results are good to half a ULP only.

    Examples
    --------
    >>> third = np.longdouble(1) / 3
    >>> result = np.array([1 / 3, np.nextafter(np.float32(1 / 3), 1)], np.float32)  # rounded once, and its neighbour
    >>> ulp_error(result, np.full(2, third)).round(2)
    array([0.33, 1.33])
    """
    values = _native(actual)
    form = _format_of(values.dtype)
    if not isinstance(exact, np.ndarray | np.generic) or exact.dtype != np.dtype(np.longdouble):
        kind = exact.dtype if isinstance(exact, np.ndarray | np.generic) else type(exact).__name__
        message = f"expected the exact values as an array of np.longdouble (got {kind}); compute them in it"
        raise TypeError(message)
    truth = np.asarray(exact)
    _check_shapes(values, truth)

    with np.errstate(invalid="ignore"):  # signalling NaN
        wide = values.astype(np.longdouble)
    ulp = spacing(truth, values.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.asarray((np.abs(wide - truth) / ulp).astype(np.float64))
    error[np.isnan(error)] = np.inf
    same = (wide == truth) | (np.isnan(wide) & np.isnan(truth))
    # From here on a finite exact value rounds to infinity.
    edge = np.ldexp(np.longdouble(2) - np.ldexp(np.longdouble(1), -form.fraction - 1), form.exponent_max)
    overflows = np.isinf(wide) & (np.sign(wide) == np.sign(truth)) & (np.abs(truth) >= edge)
    error[same | overflows] = 0
    return error


def spacing(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.longdouble]:
    """
    Return the ULP of ``dtype`` at each value: 2^(e − fraction bits), e the exponent of the value.

    Never below the spacing of the subnormals, nor above that of the largest finite number; NaN and
    infinities are given the latter.
    """
    form = _format_of(np.dtype(dtype))
    wide = np.asarray(values).astype(np.longdouble)
    finite = np.isfinite(wide)
    exponent = np.frexp(np.where(finite, wide, 1))[1] - 1
    # frexp gives 0 the exponent of 1/2.
    exponent = np.where(wide == 0, form.exponent_min, np.where(finite, exponent, form.exponent_max))
    exponent = np.clip(exponent, form.exponent_min, form.exponent_max)
    return np.asarray(np.ldexp(np.longdouble(1), exponent - form.fraction))


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """Half the spacing at 1: the largest relative error of one rounding."""
    return float(2.0 ** -(_format_of(dtype).fraction + 1))


def smallest_normal(dtype: np.dtype[Any]) -> float:
    """Return the smallest positive number of full precision."""
    return float(2.0 ** _format_of(dtype).exponent_min)


def largest(dtype: np.dtype[Any]) -> float:
    """Return the largest finite number."""
    form = _format_of(dtype)
    return float((2 - 2.0**-form.fraction) * 2.0**form.exponent_max)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether ULP are defined for ``dtype``."""
    return dtype.newbyteorder("=") in _FORMATS


def is_discrete(array: NDArray[Any]) -> bool:
    """Tell whether an array holds what is either equal or not: integers, booleans, strings."""
    return array.dtype.kind in "iubOSUT"


def _native(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _format_of(dtype: np.dtype[Any]) -> _Format:
    if dtype not in _FORMATS:
        message = (
            f"expected float16, bfloat16, float32 or float64 (got {dtype}); "
            "compare integers and strings with ==, and round anything else to one of these first"
        )
        raise TypeError(message)
    return _FORMATS[dtype]


def _check_shapes(left: NDArray[Any], right: NDArray[Any]) -> None:
    if left.shape != right.shape:
        message = (
            f"expected two arrays of one shape (got {left.shape} and {right.shape}); nothing is broadcast"
        )
        raise ValueError(message)
