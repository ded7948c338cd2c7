"""The size of one rounding, and of those of a sum; and numbers in the dtype that has none to speak of."""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from ..nodes.arrays import HALVES, Array
from ..nodes.node import Value

_BITS = {
    np.dtype(np.float16): 11,
    np.dtype(ml_dtypes.bfloat16): 8,
    np.dtype(np.float32): 24,
    np.dtype(np.float64): 53,
}

FLOATS = frozenset(_BITS)
"""The dtypes that have roundings."""


class Precision(NamedTuple):
    """
    Standard deviations of a rounding, relative to the number that is rounded.

    Attributes
    ----------
    one
        Of a result: u/√3, as if every result lay just above a power of two; u is half the spacing at 1.
    inside
        Of what is summed on the way to it: of halves that of float32, in which runtimes sum them.
    """

    one: float
    inside: float


def precision_of(dtype: np.dtype[np.generic]) -> Precision:
    """The precision of a dtype."""
    alpha = 2.0 ** -_BITS[dtype] / np.sqrt(3)
    return Precision(alpha, 2.0**-24 / np.sqrt(3) if dtype in HALVES else alpha)


def of_sum(
    total: Array, squares: Array, terms: Array | float, alpha: float, *, in_order: bool = False
) -> Array:
    """
    Standard deviation of the roundings of a sum.

    Parameters
    ----------
    total, squares
        The sum, and the sum of the squares of its terms.
    terms
        How many there are.
    alpha
        That of one rounding, relative.
    in_order
        Whether terms side by side are alike, as the pixels under a kernel.

    Notes
    -----
    Each partial sum is rounded, and so is each term, a product. Of terms in random order the square of the j-th partial
    sum is about (j/k)²S² + j(1 - j/k)Q/k, S the sum and Q that of the squares: over all of them kS²/3 + kQ/6. The
    products add Q; S²/2 + Q is what a last sum over lanes or blocks has at most.

    Of terms in order, partial sums go further up and down than of terms at random: three times the second term is
    taken, which edge filters over smooth images need (12 standard deviations were seen without).

    Terms that are equal are rounded the same way, addition by addition: the errors add up and do not cancel. S² is kQ
    then, and no more than that; a fifteenth of k roundings of S comes in, which is what the sums of networks of
    constant weights were seen to need.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.nan_to_num(np.minimum(total**2 / (terms * squares), 1))
    drift = (terms / 15 * total * alike**8) ** 2
    walk = terms * (total**2 / 3 + squares / (2 if in_order else 6))
    return np.asarray(alpha * np.sqrt(walk + total**2 / 2 + squares + drift))


def widened(value: Value) -> Value:
    """A value with its floats in float64."""
    if isinstance(value, list):
        return [widened(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype in FLOATS else array
    return value


def float_dtype(value: Value) -> np.dtype[Any] | None:
    """The dtype of an array of floats, or of a list of such; None for all else."""
    if isinstance(value, list):
        return float_dtype(value[0]) if value else None
    if isinstance(value, np.ndarray | np.generic) and value.dtype in FLOATS:
        return np.dtype(value.dtype)
    return None
