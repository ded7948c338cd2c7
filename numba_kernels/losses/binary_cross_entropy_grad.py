"""The gradient of binary_cross_entropy with respect to the logits.

dx = scale * ((1 - t) * p - w * t * (1 - p))        p = 1 / (1 + exp(-x)), each of p and 1 - p by itself
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, Float, address
from ..arrays.inputs import check_out
from ..arrays.labels import Reduction, checked_divisor, checked_upstream
from ..arrays.layout import launch, takes_directly
from ..compile.arithmetic import own_arithmetic
from ..compile.kernels import over_rows
from ..numerics.exp_below import exp_below
from ..rowwise.slices import slices
from ..vector import fma, itemsize, narrow, splat, traced, where, widen
from .binary import checked_binary, places, spread, spread_at


def _slope(x: Any, target: Any, weight: Any) -> Any:
    """The gradient of the losses of a vector in float64."""
    zero, t = splat(x, 0.0), widen(target)
    negative = x < zero
    e = exp_below(where(negative, x, zero - x), zero)
    larger = 1.0 / (1.0 + e)
    smaller = e * larger
    p, rest = where(negative, smaller, larger), where(negative, larger, smaller)
    return fma(1.0 - t, p, -(weight * t) * rest)


@traced
def _gradient(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
    x, t, weights, step, scales, step_of_scales = src
    begin = first * itemsize(kind)
    for part in slices(kind, last - first):
        scores = part.load(x + begin)
        slope = _slope(scores, part.load(t + begin), spread_at(part, first, weights, step))
        part.store(dst + begin, narrow(scores, slope * spread_at(part, first, scales, step_of_scales)))


_KERNELS = over_rows(_gradient, 3.0)


@overload
def binary_cross_entropy_grad(
    logits: npt.NDArray[Float],
    targets: npt.ArrayLike,
    *,
    pos_weight: npt.ArrayLike | None = ...,
    reduction: Reduction = ...,
    divisor: float | None = ...,
    dy: npt.ArrayLike | None = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def binary_cross_entropy_grad(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    pos_weight: npt.ArrayLike | None = ...,
    reduction: Reduction = ...,
    divisor: float | None = ...,
    dy: npt.ArrayLike | None = ...,
    out: npt.NDArray[Any] | None = ...,
) -> Array: ...
def binary_cross_entropy_grad(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    pos_weight: npt.ArrayLike | None = None,
    reduction: Reduction = "mean",
    divisor: float | None = None,
    dy: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
) -> Array:
    """Gradient of the binary cross-entropy with respect to the logits.

    ``(1 - t) * sigmoid(x) - pos_weight * t * (1 - sigmoid(x))``, for "mean" divided by the number of logits.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, any shape
        The scores.
    targets : array of the shape and dtype of `logits`
        How probable each class is, 0 to 1.
    pos_weight : number or array, optional
        As `binary_cross_entropy` has it.
    reduction : {"mean", "sum", "none"}
        Of which loss: the mean, the sum, or each.
    divisor : float, optional
        What "mean" divides by instead of the number of logits.
    dy : number, or for "none" an array of the shape of `logits`; optional
        The gradient with respect to the loss; 1 where it is not given.
    out : array, optional
        Where to write the result: shape and dtype of `logits`; may be `logits` or `targets`.

    Returns
    -------
    array of the shape and dtype of `logits`

    Raises
    ------
    TypeError
        Another dtype, two different ones, a masked array, a pos_weight or dy that is not of real numbers.
    ValueError
        Shapes that differ or do not broadcast, an `out` of another shape or dtype, an unknown reduction, a divisor that
        is not positive or no mean's.

    Notes
    -----
    Computed in float64 and rounded once. Special values follow the formula: NaN gives NaN, and ±inf the limits.

    Error, in ULP of the larger term, which for targets of 0 and 1 is the result: at most 0.51 in float16, bfloat16 and
    float32, 4 in float64 (``tests/numba_kernels/losses/test_binary_cross_entropy.py``).
    """
    name = "binary_cross_entropy_grad"
    with own_arithmetic():
        divided_by = checked_divisor(name, divisor, reduction)
        x, t, positive = checked_binary(name, logits, targets, pos_weight, reduction)
        if out is not None:
            check_out(name, out, x.shape, x.dtype)
        upstream = checked_upstream(name, dy, reduction, x.shape)
        if reduction == "mean" and x.size:
            upstream = upstream / (x.size if divided_by is None else divided_by)
        scales = spread(np.asarray(upstream))
    sources = address(x), address(t)
    target = out if out is not None and takes_directly(out, sources) else np.empty(x.shape, x.dtype)
    if x.size:
        launch(_KERNELS, x, x.size, address(target), (*sources, *places(positive), *places(scales)), 1)
    if out is not None:
        if target is not out:
            np.copyto(out, target)
        return out
    return target if x.ndim else target[()]
