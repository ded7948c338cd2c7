"""gelu, x Φ(x) with Φ the normal distribution, or its form by a tanh, element by element."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float
from ..arrays.operators import Elementwise
from ..numerics.erf import FURTHEST, RAISED, normal_tail_raised
from ..numerics.sums import fma_near
from ..rowwise.slices import over_elements
from ..vector import fma, splat, where
from .swish import times_sigmoid

# 2 √(2/π) and 0.044715 times that, each in two parts; so few bits in the first that it less a sum with it is exact.
_FACTORS = {
    types.float32: (
        (float.fromhex("0x1.988400p+0"), float.fromhex("0x1.4cf50ep-18")),
        (float.fromhex("0x1.2444f2p-4"), float.fromhex("0x1.49b16ap-29")),
    ),
    types.float64: (
        (float.fromhex("0x1.9884533d43600p+0"), float.fromhex("0x1.42343f2cf1403p-46")),
        (float.fromhex("0x1.2444f2a4d8b4bp-4"), float.fromhex("-0x1.6c843a29d1c70p-61")),
    ),
}
# From so far above zero the result is x, from so far below 0.
_FURTHEST = {types.float32: 11.0, types.float64: 21.8}


def _exact(x: Any) -> Any:
    """x Φ(x), by y Φ(−y) of y = |x|."""
    size, furthest = abs(x), FURTHEST[x.scalar]
    y = where(size > furthest, furthest, size)
    lost = y * normal_tail_raised(y) * 2.0 ** -RAISED[x.scalar]
    # the product is 0, but for −inf
    return where(x <= 0.0, fma(x, 0.0, -lost), x - lost)


def _by_tanh(x: Any) -> Any:
    """x / (1 + exp(−2u)) with u = √(2/π) (x + 0.044715 x³), which is x (1 + tanh(u)) / 2; u in two parts."""
    (a, a_low), (b, b_low) = _FACTORS[x.scalar]
    furthest = _FURTHEST[x.scalar]
    y = where(x > furthest, furthest, where(x < -furthest, -furthest, x))
    square = y * y
    factor = fma(square, b, a)
    low = fma_near(square, splat(x, b), a - factor) + fma(
        square, b_low, fma(fma_near(y, y, -square), b, a_low)
    )
    high = y * factor
    return times_sigmoid(x, high, fma_near(y, factor, -high) + y * low)


_EXACT = Elementwise("gelu", over_elements(_exact, cost=2.0))
_BY_TANH = Elementwise("gelu", over_elements(_by_tanh, cost=2.0))


@overload
def gelu(
    x: npt.NDArray[Float], approximate: Literal["none", "tanh"] = ..., *, out: npt.NDArray[Float] | None = ...
) -> npt.NDArray[Float]: ...
@overload
def gelu(
    x: npt.ArrayLike, approximate: Literal["none", "tanh"] = ..., *, out: npt.NDArray[Any] | None = ...
) -> npt.NDArray[Any]: ...
def gelu(
    x: npt.ArrayLike,
    approximate: Literal["none", "tanh"] = "none",
    *,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """The Gaussian error linear unit, element by element: ``x * (1 + erf(x / sqrt(2))) / 2``.

    With ``approximate="tanh"`` it is ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, any shape
        The numbers. Any rank, any strides.
    approximate : {"none", "tanh"}
        Which of the two.
    out : array, optional
        Where to write the result: shape and dtype of `x`. ``out=x`` works in place.

    Returns
    -------
    array of the shape and dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another `approximate`, or an `out` of another shape or dtype.

    Notes
    -----
    Special values: NaN gives NaN, +inf gives +inf, −inf gives NaN (the product of −inf and 0), ±0 itself. Far below
    zero the result is as exact as elsewhere and underflows gradually: −1.1e−43 at −14 in float32.

    Error: at most 5 ULP in float32, 6 in float64, 0.51 of halves; by tanh 3 and 0.51
    (``tests/numba_kernels/elementwise/test_functions.py``). The exponent of the tail is kept in two parts.
    Source: ``ai.onnx@20::Gelu``, https://arxiv.org/abs/1606.08415.
    """
    if approximate not in ("none", "tanh"):
        message = f"gelu takes 'none' or 'tanh' as approximate (got {approximate!r}); leave it out for erf"
        raise ValueError(message)
    return (_EXACT if approximate == "none" else _BY_TANH).run(x, out)
