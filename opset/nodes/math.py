"""Arithmetic on tensors in NumPy: what stands around the heads of models, at every version's meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..operators.products import Finish, is_plain
from ..operators.products import product as fused
from .node import Maker, Spot
from .plan import Function, Work
from .shape import TEXT

Array = NDArray[Any]

_NUMPY_BROADCASTING = 7
"""From this version on the binary operators broadcast like NumPy; before, by attributes."""

_BLOCKED_QUANTIZATION = 19
"""From this version on onnx has an implementation of DequantizeLinear, which knows more types and blocks."""

_HALVES = frozenset((np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)))


def _as_array(value: Any) -> Array:
    """NumPy's functions give scalars for arrays of rank 0."""
    return value if type(value) is np.ndarray else np.asarray(value)


def _unary(ufunc: Callable[..., Any], *, keeps_dtype: bool = True) -> Maker:
    def run(x: Array) -> Array:
        return _as_array(ufunc(x))

    def in_place(x: Array) -> Array:
        y: Array = ufunc(x, out=x)
        return y

    return lambda _: Work(
        run=run, fresh=True, in_place=in_place if keeps_dtype else None, by_rows=keeps_dtype
    )


def _relu(_: Spot) -> Work:
    def run(x: Array) -> Array:
        return _as_array(np.maximum(x, x.dtype.type(0)))

    def in_place(x: Array) -> Array:
        y: Array = np.maximum(x, x.dtype.type(0), out=x)
        return y

    return Work(run=run, fresh=True, in_place=in_place, by_rows=True)


_ERF = np.vectorize(math.erf, otypes=[np.float64])


def _erf(_: Spot) -> Work:
    """Rounded once from float64; onnx's own computes it in float32 whatever the dtype."""
    return Work(run=lambda x: _ERF(x).astype(x.dtype), fresh=True, by_rows=True)


def _same_dtype(a: Array, b: Array) -> None:
    if a.dtype != b.dtype and a.dtype.kind not in TEXT:
        message = f"both must have one dtype, not {a.dtype} and {b.dtype}"
        raise TypeError(message)


def _binary(ufunc: Callable[..., Any], *, keeps_dtype: bool = True) -> Maker:
    """An operator of two inputs; before version 7 the second one is stretched by the attribute ``axis``."""

    def run(a: Array, b: Array) -> Array:
        _same_dtype(a, b)
        return _as_array(ufunc(a, b))

    def in_place(a: Array, b: Array) -> Array:
        _same_dtype(a, b)
        fits = a.shape == b.shape or b.ndim == 0 or (a.ndim and b.shape == a.shape[-1:])
        return _as_array(ufunc(a, b, out=a) if fits else ufunc(a, b))

    def maker(spot: Spot) -> Work:
        fast = in_place if keeps_dtype else None
        if spot.version >= _NUMPY_BROADCASTING:
            return Work(run=run, fresh=True, in_place=fast)
        stretched = _stretched(spot.attributes)
        return Work(run=lambda a, b: run(a, stretched(a, b)), fresh=True)

    return maker


def _stretched(attributes: Mapping[str, Any]) -> Callable[[Array, Array], Array]:
    """The second input with the dimensions it lacks, where they belong before opset 7."""
    axis = attributes.get("axis")

    def stretch(a: Array, b: Array) -> Array:
        if not attributes.get("broadcast", 0):
            if a.shape != b.shape:
                message = f"without broadcast=1 both must have one shape, not {a.shape} and {b.shape}"
                raise ValueError(message)
            return b
        if axis is None or b.size == 1:
            return b if b.ndim <= a.ndim else b.reshape(())
        start = axis + a.ndim if axis < 0 else axis
        return b.reshape(b.shape + (1,) * (a.ndim - start - b.ndim))

    return stretch


def _truncated_divide(a: Array, b: Array, out: Array | None = None) -> Any:
    """Quotients; those of integers are cut off towards zero, as in C."""
    if a.dtype.kind not in "iu":
        return np.divide(a, b, out=out)
    quotient = np.floor_divide(a, b)
    towards_zero = (np.remainder(a, b) != 0) & ((a < 0) ^ (b < 0))
    return np.add(quotient, towards_zero.astype(quotient.dtype), out=out)


def _pow(spot: Spot) -> Work | None:
    """Before version 7, which onnx's own implementation does not know; the exponent has the dtype of the base."""
    return _binary(np.power)(spot) if spot.version < _NUMPY_BROADCASTING else None


def _prelu(spot: Spot) -> Work:
    """A slope for each channel, or for all, before version 7; slopes that broadcast to x since."""

    def run(x: Array, slope: Array) -> Array:
        _same_dtype(x, slope)
        if spot.version < _NUMPY_BROADCASTING and slope.ndim == 1 and slope.size > 1:
            slope = slope.reshape(-1, *[1] * (x.ndim - 2))
        return np.where(x < 0, x * np.broadcast_to(slope, x.shape), x)

    return Work(run=run, fresh=True)


def _extremum(ufunc: Callable[..., Any]) -> Maker:
    def run(first: Array, *others: Array) -> Array:
        result: Any = first if others else np.array(first)
        for other in others:
            _same_dtype(first, other)
            result = ufunc(result, other)
        return _as_array(result)

    # before version 8 all inputs have one shape, for which broadcasting says the same
    return lambda _: Work(run=run, fresh=True)


def _dequantize(spot: Spot) -> Work | None:
    """(x - zero point) scale, for the whole tensor or along an axis; later versions are onnx's own implementation's."""
    if spot.version >= _BLOCKED_QUANTIZATION:
        return None
    axis = spot.attributes.get("axis", 1)

    def run(x: Array, scale: Array, zero: Array | None = None) -> Array:
        shape = [1] * x.ndim
        if scale.size != 1:
            shape[axis] = -1
        steps = x.astype(np.int64)
        if zero is not None:
            _same_dtype(x, zero)
            steps = steps - zero.astype(np.int64).reshape(shape)
        return steps.astype(scale.dtype) * scale.reshape(shape)

    return Work(run=run, fresh=True)


def _where(_: Spot) -> Work:
    def run(condition: Array, a: Array, b: Array) -> Array:
        _same_dtype(a, b)
        return np.where(condition, a, b)

    return Work(run=run, fresh=True)


def _matmul(_: Spot) -> Work:
    return Work(run=matmul, fresh=True)


def matmul(a: Array, b: Array) -> Array:
    """Matrix product; halves are multiplied and summed in float32, and rounded once."""
    _same_dtype(a, b)
    if a.dtype in _HALVES:
        return _as_array(np.matmul(a.astype(np.float32), b.astype(np.float32))).astype(a.dtype)
    return _as_array(np.matmul(a, b))


def _gemm(spot: Spot) -> Work:
    """alpha A' B' + beta C; before version 7 ``broadcast`` allows what NumPy does without asking."""
    attributes = spot.attributes
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    turn_a, turn_b = attributes.get("transA", 0), attributes.get("transB", 0)

    def product(a: Array, b: Array) -> Array:
        if a.ndim != 2 or b.ndim != 2:
            message = f"both must be matrices, not of rank {a.ndim} and {b.ndim}"
            raise ValueError(message)
        y: Array = np.matmul(a.T if turn_a else a, b.T if turn_b else b)
        return y

    def scaled(a: Array, b: Array, c: Array | None = None) -> Array:
        _same_dtype(a, b)
        if c is not None:
            _same_dtype(a, c)
        half = a.dtype in _HALVES
        y = product(a.astype(np.float32), b.astype(np.float32)) if half else product(a, b)
        if alpha != 1:
            y = (alpha * y).astype(y.dtype, copy=False)
        if c is not None:
            y += c if beta == 1 else (beta * c).astype(y.dtype, copy=False)
        return y.astype(a.dtype) if half else y

    if alpha != 1 or beta != 1:
        return Work(run=scaled, fresh=True)

    def followed_by(finishes: Sequence[Finish]) -> Function:
        def run(a: Array, b: Array, c: Array | None = None) -> Array:
            if is_plain(a, b, c):
                assert c is not None
                return fused(a.T if turn_a else a, b.T if turn_b else b, c, finishes)
            y = scaled(a, b, c)
            for finish in finishes:
                y = finish(y)
            return y

        return run

    return Work(run=followed_by(()), fresh=True, followed_by=followed_by)


MATH: dict[str, Maker] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Ceil": _unary(np.ceil),
    "Cos": _unary(np.cos),
    "DequantizeLinear": _dequantize,
    "Div": _binary(_truncated_divide),
    "Equal": _binary(np.equal, keeps_dtype=False),
    "Erf": _erf,
    "Exp": _unary(np.exp),
    "Floor": _unary(np.floor),
    "Gemm": _gemm,
    "Greater": _binary(np.greater, keeps_dtype=False),
    "GreaterOrEqual": _binary(np.greater_equal, keeps_dtype=False),
    "IsNaN": _unary(np.isnan, keeps_dtype=False),
    "Less": _binary(np.less, keeps_dtype=False),
    "LessOrEqual": _binary(np.less_equal, keeps_dtype=False),
    "Log": _unary(np.log),
    "MatMul": _matmul,
    "Max": _extremum(np.maximum),
    "Min": _extremum(np.minimum),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": _unary(np.reciprocal),
    "Relu": _relu,
    "Sin": _unary(np.sin),
    "Sqrt": _unary(np.sqrt),
    "Sub": _binary(np.subtract),
    "Tanh": _unary(np.tanh),
    "Where": _where,
    "Xor": _binary(np.logical_xor),
}
