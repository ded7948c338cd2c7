"""The kernels of com.microsoft's quantized operators: through float64, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis import along
from .kernels import Outputs, compiled
from .quantized import scalar, softmax_rule
from .row import Attributes, Inputs, Operator


def softmax(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """`softops.numba_kernels.softmax` of the dequantized input."""
    x = inputs[0]
    assert x is not None
    scale, zero = scalar(row, inputs, 1), scalar(row, inputs, 2)
    wide = _dequantized(x, scale, zero)
    y = along(softmax_rule(attributes), compiled().softmax, wide, attributes["axis"], name=row.name)
    return (_quantized(y, scalar(row, inputs, 3), scalar(row, inputs, 4), x.dtype),)


def sigmoid(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """A table of the 256 values there are."""
    x = inputs[0]
    assert x is not None
    scale, zero = scalar(row, inputs, 1), scalar(row, inputs, 2)
    every = np.arange(256, dtype=np.uint8).view(x.dtype)
    values = compiled().sigmoid(_dequantized(every, scale, zero))
    table = _quantized(values, scalar(row, inputs, 3), scalar(row, inputs, 4), x.dtype)
    return (table[x.view(np.uint8)],)


def _dequantized(x: NDArray[Any], scale: float, zero: float) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return np.asarray((x.astype(np.float64) - zero) * scale)


def _quantized(y: NDArray[Any], scale: float, zero: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    with np.errstate(all="ignore"):  # a scale may be anything
        steps = np.clip(np.rint(y / scale) + zero, limits.min, limits.max)
        return np.nan_to_num(steps, nan=limits.min).astype(dtype)
