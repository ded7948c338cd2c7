"""QLinearSoftmax and QLinearSigmoid of com.microsoft, onnxruntime's own domain: through floats, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..oracle import elementwise, quantized, softmax
from .axis import along, rule_at
from .row import Attributes, Inputs, Operator, Outputs, numba_kernel
from .signature import Attribute, Parameter

DOMAIN = "com.microsoft"
COMPUTED = {"QLinearSoftmax": "Softmax", "QLinearSigmoid": "Sigmoid"}
"""The operator of ai.onnx that each computes in between."""

_softmax, _sigmoid = numba_kernel("softmax"), numba_kernel("sigmoid")


def _softmax_kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    x, (x_scale, x_zero, y_scale, y_zero) = inputs[0], _scalars(row, inputs)
    rule, wide = rule_at(attributes["opset"]), _dequantized(x, x_scale, x_zero)
    y = along(rule, _softmax, wide, attributes["axis"], name=row.name)
    return (_quantized(y, y_scale, y_zero, x.dtype),)


def _softmax_reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    x, (x_scale, x_zero, y_scale, y_zero) = inputs[0], _scalars(row, inputs)
    rule, wide = rule_at(attributes["opset"]), quantized.dequantized(x, x_scale, x_zero)
    y = along(rule, softmax.softmax, wide, attributes["axis"], name=row.name)
    return (quantized.quantized(y, y_scale, y_zero),)


def _sigmoid_kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """A table of the 256 values there are."""
    x, (x_scale, x_zero, y_scale, y_zero) = inputs[0], _scalars(row, inputs)
    every = np.arange(256, dtype=np.uint8).view(x.dtype)
    table = _quantized(_sigmoid(_dequantized(every, x_scale, x_zero)), y_scale, y_zero, x.dtype)
    return (table[x.view(np.uint8)],)


def _sigmoid_reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    x_scale, x_zero, y_scale, y_zero = _scalars(row, inputs)
    y = elementwise.sigmoid(quantized.dequantized(inputs[0], x_scale, x_zero))
    return (quantized.quantized(y, y_scale, y_zero),)


def _scalars(row: Operator, inputs: Inputs) -> list[float]:
    """Scale and zero point of x and of y, 0 where one is left out."""
    for given, parameter in zip(inputs[1:], row.inputs[1:], strict=True):
        if given is not None and given.size != 1:
            message = (
                f"{row.name} expected one number as {parameter.name} (got shape {given.shape}); "
                "quantize the whole tensor alike"
            )
            raise ValueError(message)
    return [0.0 if given is None else float(given.item()) for given in inputs[1:]]


def _dequantized(x: NDArray[Any], scale: float, zero: float) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return np.asarray((x.astype(np.float64) - zero) * scale)


def _quantized(y: NDArray[Any], scale: float, zero: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    with np.errstate(all="ignore"):  # a scale may be anything
        steps = np.clip(np.rint(y / scale) + zero, limits.min, limits.max)
        return np.nan_to_num(steps, nan=limits.min).astype(dtype)


def _rounded(value: NDArray[Any], dtype: DTypeLike, inputs: Inputs) -> NDArray[Any]:
    return quantized.saturated(value, dtype, 0.0 if inputs[4] is None else float(inputs[4].item()))


def _row(op_type: str, *notes: str, inputs: tuple[Parameter, ...], **more: Any) -> Operator:
    return Operator(
        op_type=op_type,
        domain=DOMAIN,
        since_version=1,
        types={"T": ("uint8", "int8")},
        inputs=inputs,
        outputs=(Parameter("Y", "T"),),
        rounding=_rounded,
        notes=(
            *notes,
            "Rounded to nearest, ties to even, before the zero point is added, and kept in range, as QuantizeLinear. "
            "onnxruntime computes in float32, which can turn a near tie the other way: one step apart. What is no "
            "number (scales of 0, infinite or NaN) becomes the lowest.",
        ),
        **more,
    )


ROWS: tuple[Operator, ...] = (
    _row(
        "QLinearSoftmax",
        "The attribute opset, not the opset of the model, chooses the axis rule: flatten below 13.",
        inputs=(
            Parameter("X", "T"),
            Parameter("X_scale", "float32"),
            Parameter("x_zero_point", "T", optional=True),
            Parameter("y_scale", "float32"),
            Parameter("y_zero_point", "T"),
        ),
        axis_rule="single",
        default_axis=-1,
        attributes={"axis": Attribute("int", -1), "opset": Attribute("int", required=True)},
        kernel=_softmax_kernel,
        reference=_softmax_reference,
    ),
    _row(
        "QLinearSigmoid",
        inputs=(
            Parameter("X", "T"),
            Parameter("X_scale", "float32"),
            Parameter("X_zero_point", "T", optional=True),
            Parameter("Y_scale", "float32"),
            Parameter("Y_zero_point", "T", optional=True),
        ),
        kernel=_sigmoid_kernel,
        reference=_sigmoid_reference,
    ),
)
