"""Rows of the table: QLinearSoftmax and QLinearSigmoid of com.microsoft, onnxruntime's own domain."""

from __future__ import annotations

from ..oracle import quantized as reference_quantized
from . import kernels_quantized
from .attribute import Attribute
from .row import Operator, Parameter

_TYPES = {"T": ("uint8", "int8")}
_ROUNDING = (
    "Rounded to nearest, ties to even, before the zero point is added, and kept in range, as QuantizeLinear. "
    "onnxruntime computes in float32, which can turn a near tie the other way: one step apart. What is no number "
    "(scales of 0, infinite or NaN) becomes the lowest."
)

ROWS: tuple[Operator, ...] = (
    Operator(
        op_type="QLinearSoftmax",
        domain="com.microsoft",
        since_version=1,
        axis_rule="single",
        default_axis=-1,
        types=_TYPES,
        inputs=(
            Parameter("X", "T"),
            Parameter("X_scale", "float32"),
            Parameter("x_zero_point", "T", optional=True),
            Parameter("y_scale", "float32"),
            Parameter("y_zero_point", "T"),
        ),
        outputs=(Parameter("Y", "T"),),
        attributes={"axis": Attribute("int", -1), "opset": Attribute("int", required=True)},
        kernel=kernels_quantized.softmax,
        reference=reference_quantized.softmax,
        rounding=reference_quantized.saturated,
        notes=(
            "The attribute opset, not the opset of the model, chooses the axis rule: flatten below 13.",
            _ROUNDING,
        ),
    ),
    Operator(
        op_type="QLinearSigmoid",
        domain="com.microsoft",
        since_version=1,
        types=_TYPES,
        inputs=(
            Parameter("X", "T"),
            Parameter("X_scale", "float32"),
            Parameter("X_zero_point", "T", optional=True),
            Parameter("Y_scale", "float32"),
            Parameter("Y_zero_point", "T", optional=True),
        ),
        outputs=(Parameter("Y", "T"),),
        kernel=kernels_quantized.sigmoid,
        reference=reference_quantized.sigmoid,
        rounding=reference_quantized.saturated,
        notes=(_ROUNDING,),
    ),
)
