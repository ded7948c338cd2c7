"""Resize and Upsample of any rank and version: axis by axis, by weights in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation

_ROUNDED: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}

_HAS_SIZES = 11
"""From this version on Resize has a region, sizes, and a choice of coordinates; before it is asymmetric, by floor."""


class _Axis(NamedTuple):
    """An axis before and after: lengths, scale, and the part of it that is taken, from 0 to 1."""

    length: int
    out: int
    scale: float
    start: float
    end: float


class _Taps(NamedTuple):
    """What each place after is made of: places before and their weights, shape (out, taps); whether it is outside."""

    places: Array
    weights: Array
    outside: Array


def resize(node: Node) -> Operation | None:
    """
    Resize since version 10, Upsample since 7; not with ``antialias``.

    Coordinates are rounded to float32 step by step, as in onnxruntime: a scale of 0.6 is meant so, which no float32
    is. The nearest number hangs on such roundings: disputed. So is align_corners by scales: the text, onnxruntime and
    torch take the length of the result, ONNX's own tests the product of length and scale, which need not be integer.
    """
    attributes = node.attributes
    mode = attributes.get("mode", "nearest")
    is_old = node.proto.op_type == "Upsample" or node.version < _HAS_SIZES
    if node.attributes.get("antialias", 0) or (node.proto.op_type == "Upsample" and node.version < 7):
        return None
    if is_old:
        attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}

    def run(x: Array, roi: Array | None = None, scales: Any = None, sizes: Array | None = None) -> Array:
        axes = [axis % x.ndim for axis in attributes.get("axes") or range(x.ndim)]
        plans = _planned(x.shape, axes, roi, scales, sizes, attributes)
        if is_old and mode == "nearest" and any(plan.scale < 1 for plan in plans):
            message = "before opset 11 nobody says which number is the nearest in a smaller tensor"
            raise ValueError(message)
        return _resized(x, axes, plans, attributes)

    by_scales = attributes.get("coordinate_transformation_mode") == "align_corners" and not node.has(3)
    given = node.attributes.get("scales")
    function = run if not is_old else lambda x, scales=given: run(x, None, scales)
    return Operation(function, fresh=True, disputed=mode == "nearest" or by_scales, interpolates=True)


def _planned(
    shape: Sequence[int],
    axes: Sequence[int],
    roi: Array | None,
    scales: Any,
    sizes: Array | None,
    attributes: Mapping[str, Any],
) -> list[_Axis]:
    is_cropped = attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    lengths = [shape[axis] for axis in axes]
    regions = (
        np.ravel(roi).tolist() if is_cropped and roi is not None else [0.0] * len(axes) + [1.0] * len(axes)
    )
    starts, ends = regions[: len(axes)], regions[len(axes) :]
    if sizes is not None and sizes.size:
        outs = [int(n) for n in sizes]
        factors = [n / length for n, length in zip(outs, lengths, strict=True)]
        policy = attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factors = [(min if policy == "not_larger" else max)(factors)] * len(axes)
            outs = [
                int(np.floor(factor * length + 0.5)) for factor, length in zip(factors, lengths, strict=True)
            ]
    else:
        factors = [float(scale) for scale in np.ravel(scales)]
        parts = [end - start if is_cropped else 1.0 for start, end in zip(starts, ends, strict=True)]
        outs = [
            int(np.floor(n * part * factor)) for n, part, factor in zip(lengths, parts, factors, strict=True)
        ]
    return [_Axis(*each) for each in zip(lengths, outs, factors, starts, ends, strict=True)]


def _resized(x: Array, axes: Sequence[int], plans: Sequence[_Axis], attributes: Mapping[str, Any]) -> Array:
    mode = attributes.get("mode", "nearest")
    y: Array = x if mode == "nearest" else x.astype(np.float64)
    kinds = {"nearest": _nearest, "linear": _linear, "cubic": _cubic}
    is_cropped = attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    outside = np.zeros((1,) * x.ndim, bool)
    for axis, plan in zip(axes, plans, strict=True):
        if plan.scale == 1 and plan.out == plan.length and not is_cropped:
            continue
        where = _coordinates(plan, attributes.get("coordinate_transformation_mode", "half_pixel"))
        taps = kinds[mode](where, plan.length, attributes)
        shape = [1] * x.ndim
        shape[axis] = plan.out
        outside = outside | taps.outside.reshape(shape)
        if mode == "nearest":
            y = np.take(y, taps.places[:, 0], axis)
            continue
        total: Any = 0
        for places, weights in zip(taps.places.T, taps.weights.T, strict=True):
            total = total + np.take(y, places, axis) * weights.reshape(shape)
        y = total
    if is_cropped:
        y = np.where(outside, y.dtype.type(attributes.get("extrapolation_value", 0)), y)
    return np.array(y.astype(x.dtype))


def _coordinates(axis: _Axis, mode: str) -> Array:
    """The place before of each place after, in float32."""
    if mode not in _TRANSFORMS:
        message = f"expected a coordinate_transformation_mode of {', '.join(_TRANSFORMS)} (got {mode!r})"
        raise ValueError(message)
    single = _Single(*(np.float32(number) for number in axis))
    return _TRANSFORMS[mode](np.arange(axis.out, dtype=np.float32), single)


class _Single(NamedTuple):
    """An axis in float32."""

    length: np.float32
    out: np.float32
    scale: np.float32
    start: np.float32
    end: np.float32


_HALF, _ONE = np.float32(0.5), np.float32(1)


def _half_pixel(places: Array, axis: _Single) -> Array:
    return (places + _HALF) / axis.scale - _HALF


def _symmetric(places: Array, axis: _Single) -> Array:
    offset = axis.length * _HALF * (_ONE - axis.out / (axis.scale * axis.length))
    return offset + _half_pixel(places, axis)


def _aligned(places: Array, axis: _Single) -> Array:
    return places * (axis.length - _ONE) / max(axis.out - _ONE, _ONE)


def _cropped(places: Array, axis: _Single) -> Array:
    last = axis.length - _ONE
    if axis.out > 1:
        return axis.start * last + places * ((axis.end - axis.start) * last) / (axis.out - _ONE)
    return np.full_like(places, _HALF * (axis.start + axis.end) * last)


_TRANSFORMS: dict[str, Callable[[Array, _Single], Array]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda places, axis: _half_pixel(places, axis) if axis.out > 1 else places,
    "align_corners": _aligned,
    "asymmetric": lambda places, axis: places / axis.scale,
    "tf_half_pixel_for_nn": lambda places, axis: (places + _HALF) / axis.scale,
    "tf_crop_and_resize": _cropped,
}


def _outside(where: Array, length: int) -> Array:
    return np.asarray((where < 0) | (where > length - 1))


def _nearest(where: Array, length: int, attributes: Mapping[str, Any]) -> _Taps:
    rounded = _ROUNDED[attributes.get("nearest_mode", "round_prefer_floor")](where)
    places = np.clip(rounded, 0, length - 1).astype(np.intp)[:, None]
    return _Taps(places, np.ones(places.shape), _outside(where, length))


def _linear(where: Array, length: int, _: Mapping[str, Any]) -> _Taps:
    wide = where.astype(np.float64)
    first = np.floor(wide)
    weights = np.stack([first + 1 - wide, wide - first], 1)
    places = np.stack([first, first + 1], 1)
    return _Taps(np.clip(places, 0, length - 1).astype(np.intp), weights, _outside(where, length))


def _cubic(where: Array, length: int, attributes: Mapping[str, Any]) -> _Taps:
    a, wide = attributes.get("cubic_coeff_a", -0.75), where.astype(np.float64)
    places = np.floor(wide)[:, None] + np.arange(-1, 3)
    weights = cubic_weights(np.abs(wide[:, None] - places), a)
    if attributes.get("exclude_outside", 0):
        weights = np.where((places < 0) | (places >= length), 0, weights)
        weights = weights / weights.sum(1, keepdims=True)
    return _Taps(np.clip(places, 0, length - 1).astype(np.intp), weights, _outside(where, length))


def cubic_weights(distance: Array, a: float) -> Array:
    """
    Return what a number weighs at a distance in [0, 2].

    Source: R. G. Keys, Cubic convolution interpolation for digital image processing (1981).
    """
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return np.where(distance <= 1, near, far)
