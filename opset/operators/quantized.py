"""Scales, zero points and the axis rule of com.microsoft's quantized operators."""

from __future__ import annotations

from .axis import AxisRule
from .row import Attributes, Inputs, Operator


def scalar(row: Operator, inputs: Inputs, index: int) -> float:
    """Return a scale or a zero point, 0 where it is left out."""
    given = inputs[index]
    if given is None:
        return 0.0
    if given.size != 1:
        message = (
            f"{row.name} expected one number as {row.inputs[index].name} (got shape {given.shape}); "
            "quantize the whole tensor alike"
        )
        raise ValueError(message)
    return float(given.item())


def softmax_rule(attributes: Attributes) -> AxisRule:
    """Return the axis rule of the Softmax that QLinearSoftmax stands for: that of its attribute ``opset``."""
    return "flatten" if attributes["opset"] < 13 else "single"
