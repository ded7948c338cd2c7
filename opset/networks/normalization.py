"""Normalizations: kernels, and others in float64, rounded once."""

from __future__ import annotations

import numpy as np
import onnx

from ..nodes.arrays import KERNEL_DTYPES, Array
from ..nodes.node import Function, Node, Operation
from ..nodes.reductions import p_norm
from ..operators.row import numba_kernel

_layer_norm, _rms_norm = numba_kernel("layer_norm"), numba_kernel("rms_norm")

# So many numbers of a channel in an image are worth the kernel, which begins anew with each.
_LONG = 16

_BY_CHANNEL = 21
"""From this version on GroupNormalization has a scale and bias for each channel."""


def batch_normalization(node: Node) -> Operation | None:
    """
    By the mean and variance that are given; in training, since version 14, by those of the batch.

    Before version 14 a node with one output is meant out of training, as onnxruntime reads it.
    """
    epsilon = node.attributes.get("epsilon", 1e-5)
    if node.attributes.get("training_mode", 0):
        return Operation(_in_training(epsilon, node.attributes.get("momentum", 0.9)), many=True, fresh=True)
    if node.outputs > 1:
        return None
    whole = not node.attributes.get("spatial", 1)

    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        shape = x.shape[1:] if whole else (-1, *[1] * (x.ndim - 2))
        slope = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        shift = bias - mean * slope
        if not whole and x.dtype in KERNEL_DTYPES and x[:1, :1].size >= _LONG:
            from softops.numba_kernels.normalization.scaled_rows import scaled_rows

            return scaled_rows(x, slope, shift)
        y: Array = x * slope.reshape(shape) + shift.reshape(shape)
        return y.astype(x.dtype)

    return Operation(run, fresh=True)


def _in_training(epsilon: float, momentum: float) -> Function:
    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> list[Array]:
        wide, axes = x.astype(np.float64), (0, *range(2, x.ndim))
        ours, spread = wide.mean(axes), wide.var(axes)
        shape = (-1, *[1] * (x.ndim - 2))
        slope = scale / np.sqrt(spread + epsilon)
        y = (wide - ours.reshape(shape)) * slope.reshape(shape) + bias.astype(np.float64).reshape(shape)
        running = [old * momentum + new * (1 - momentum) for old, new in ((mean, ours), (variance, spread))]
        return [y.astype(x.dtype), running[0].astype(mean.dtype), running[1].astype(variance.dtype)]

    return run


def layer_normalization(node: Node) -> Operation:
    """Over the axes from one on; mean and 1 / the standard deviation are further outputs, of their own dtype."""
    first, epsilon = node.attributes.get("axis", -1), node.attributes.get("epsilon", 1e-5)
    stash = onnx.helper.tensor_dtype_to_np_dtype(node.attributes.get("stash_type", onnx.TensorProto.FLOAT))
    alone = node.outputs == 1

    def run(x: Array, scale: Array, bias: Array | None = None) -> list[Array]:
        axis = first % x.ndim
        fits = _fits(x, axis, scale) and (bias is None or _fits(x, axis, bias))
        weights = (scale, bias) if fits else (None, None)
        if alone:
            outputs = [_layer_norm(x, *weights, axis=axis, epsilon=epsilon)]
        else:
            y, *rest = _layer_norm(x, *weights, axis=axis, epsilon=epsilon, return_statistics=True)
            outputs = [y, *(each.astype(stash) for each in rest)]
        if not fits:
            outputs[0] = _scaled(outputs[0], scale, bias)
        return outputs

    return Operation(run, many=True, fresh=True)


def _fits(x: Array, axis: int, factors: Array) -> bool:
    """Whether factors are of one row and of the dtype of x."""
    return factors.dtype == x.dtype and factors.ndim <= x.ndim - axis


def _scaled(y: Array, scale: Array, bias: Array | None = None) -> Array:
    """y times a scale and plus a bias that broadcast to it, in float64 and rounded once."""
    wide = y.astype(np.float64) * scale
    return (wide if bias is None else wide + bias).astype(y.dtype)


def rms_normalization(node: Node) -> Operation:
    """By the root of the mean square over the axes from one on."""
    first, epsilon = node.attributes.get("axis", -1), node.attributes.get("epsilon", 1e-5)

    def run(x: Array, scale: Array) -> Array:
        axis = first % x.ndim
        if _fits(x, axis, scale):
            return np.asarray(_rms_norm(x, scale, axis=axis, epsilon=epsilon))
        return _scaled(_rms_norm(x, axis=axis, epsilon=epsilon), scale)

    return Operation(run, fresh=True)


def _of_channels(x: Array, groups: int, epsilon: float, scale: Array, bias: Array) -> Array:
    """
    Each of so many groups of the channels of each image standardized, then scaled.

    Scale and bias are of channels, or of groups.
    """
    wide = x.astype(np.promote_types(x.dtype, np.float32), copy=False)
    y = _layer_norm(wide.reshape(len(x), groups, -1), epsilon=epsilon)
    y = y.reshape(len(x), scale.size, -1)
    y *= scale.reshape(-1, 1)
    y += bias.reshape(-1, 1)
    result: Array = y.reshape(x.shape).astype(x.dtype, copy=False)
    return result


def instance_normalization(node: Node) -> Operation:
    """Each channel of each image."""
    epsilon = node.attributes.get("epsilon", 1e-5)

    def run(x: Array, scale: Array, bias: Array) -> Array:
        return _of_channels(x, x.shape[1], epsilon, scale, bias)

    return Operation(run, fresh=True)


def group_normalization(node: Node) -> Operation:
    """Groups of channels of each image; scale and bias are of groups before version 21, of channels since."""
    groups, epsilon = node.attributes["num_groups"], node.attributes.get("epsilon", 1e-5)

    def run(x: Array, scale: Array, bias: Array) -> Array:
        count = groups if node.version < _BY_CHANNEL else x.shape[1]
        if scale.size != count or bias.size != count:
            message = f"scale and bias must have {count} numbers each, not {scale.size} and {bias.size}"
            raise ValueError(message)
        return _of_channels(x, groups, epsilon, scale, bias)

    return Operation(run, fresh=True)


def local_response_normalization(node: Node) -> Operation:
    """By the squares of the channels near each."""
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    alpha, beta, bias = (node.attributes.get(name, default) for name, default in defaults.items())
    size = node.attributes["size"]
    before = (size - 1) // 2

    def run(x: Array) -> Array:
        wide = x.astype(np.float64)
        sums = np.zeros_like(wide)
        for channel in range(x.shape[1]):
            near = wide[:, max(0, channel - before) : channel - before + size]
            sums[:, channel] = np.sum(near**2, 1)
        return np.asarray(wide / (bias + alpha / size * sums) ** beta).astype(x.dtype)

    return Operation(run, fresh=True)


def lp_normalization(node: Node) -> Operation:
    """By the 1-norm or 2-norm along an axis; nothing but zeros stays so."""
    axis, p = node.attributes.get("axis", -1), node.attributes.get("p", 2)

    def run(x: Array) -> Array:
        norm = p_norm(x, axis, p, keeps=True)
        return np.asarray(x / np.where(norm == 0, 1, norm)).astype(x.dtype)

    return Operation(run, fresh=True)
