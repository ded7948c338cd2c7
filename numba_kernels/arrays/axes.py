"""Several axes, all of them, or a scalar: brought to one last axis, and back."""

from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .addresses import Array
from .inputs import check_out, normalized

Axis = int | tuple[int, ...] | None


def is_one_axis(x: Array, axis: Axis) -> bool:
    """Whether `axis` names one axis of an array that has any; else it is a matter for this module."""
    return x.ndim > 0 and axis is not None and not isinstance(axis, tuple)


def axes_of(x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes counted from the front, in their order; a scalar has one number and takes −1, 0, None and ()."""
    if axis is None:
        return tuple(range(x.ndim))
    if isinstance(axis, tuple):
        return tuple(
            sorted(normalize_axis_tuple([normalized(each, x.ndim) for each in axis], x.ndim, "axis"))
        )
    if x.ndim == 0:
        normalized(axis, 1)
        return ()
    return (normalized(axis, x.ndim),)


def merged(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` with `axes` as one last axis, in their order: a view where they can be merged, else a copy."""
    kept, count = [d for d in range(x.ndim) if d not in axes], 1
    for d in axes:
        count *= x.shape[d]
    return x.transpose(*kept, *axes).reshape([x.shape[d] for d in kept] + [count])


def over_axes(
    name: str, arrays: tuple[Array, ...], axis: Axis, out: Array | None, compute: Callable[..., Array]
) -> Array:
    """``compute(*arrays, out)`` along the last axis, of arrays of one shape whose axes are merged there; and back.

    Nothing is copied where the axes can be merged as they lie: neither the arrays nor the result in `out`.
    """
    x = arrays[0]
    axes = axes_of(x, axis)
    target = None
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
        lines = merged(out, axes)
        target = lines if np.may_share_memory(lines, out) else None  # a view of it, or a copy
    result = compute(*(merged(each, axes) for each in arrays), target)
    if out is not None and target is not None:
        return out
    order = [*(d for d in range(x.ndim) if d not in axes), *axes]
    turned = result.reshape([x.shape[d] for d in order])
    back: Array = turned.transpose([order.index(d) for d in range(x.ndim)])
    if out is None:
        return np.ascontiguousarray(back) if x.ndim else back[()]
    np.copyto(out, back)
    return out


def without(x: Array, axes: tuple[int, ...], keepdims: bool = False) -> tuple[int, ...]:
    """The shape of `x` without axes, or with length one there."""
    return tuple([(1 if d in axes else n) for d, n in enumerate(x.shape) if keepdims or d not in axes])
