"""The oracle's QLinearSoftmax and QLinearSigmoid: the quantized value before it is rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..operators.axis import along
from ..operators.quantized import scalar, softmax_rule
from ..operators.row import Attributes, Inputs, Operator
from . import elementwise as reference_elementwise
from . import normalizers as reference_rows

Outputs = tuple[NDArray[Any], ...]


def softmax(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """softmax((x - x_zero) x_scale) / y_scale + y_zero."""
    rule = softmax_rule(attributes)
    y = along(rule, reference_rows.softmax, _dequantized(row, inputs), attributes["axis"], name=row.name)
    return (_quantized(row, inputs, y),)


def sigmoid(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """sigmoid((x - x_zero) x_scale) / y_scale + y_zero."""
    y = reference_elementwise.sigmoid(_dequantized(row, inputs))
    return (_quantized(row, inputs, y),)


def saturated(value: NDArray[Any], dtype: DTypeLike, inputs: Inputs) -> NDArray[Any]:
    """
    Round to the nearest integer and keep it in range, as QuantizeLinear.

    Ties go to even before the zero point is added. What is no number becomes the lowest.
    """
    zero = 0.0 if inputs[4] is None else float(inputs[4].item())
    limits = np.iinfo(np.dtype(dtype))
    with np.errstate(all="ignore"):
        steps = np.clip(np.rint(value - zero) + zero, limits.min, limits.max)
    return np.where(np.isnan(steps), limits.min, steps).astype(dtype)


def _dequantized(row: Operator, inputs: Inputs) -> NDArray[np.longdouble]:
    x = inputs[0]
    assert x is not None
    zero, scale = scalar(row, inputs, 2), np.longdouble(scalar(row, inputs, 1))
    with np.errstate(all="ignore"):  # a scale may be anything
        return np.asarray((x.astype(np.longdouble) - zero) * scale)


def _quantized(row: Operator, inputs: Inputs, y: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
    with np.errstate(all="ignore"):
        return np.asarray(y / np.longdouble(scalar(row, inputs, 3)) + scalar(row, inputs, 4))
