"""Normalizer of ai.onnx.ml: each row divided by its maximum or its norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import classifiers
from .linear_classifier import NUMBERS
from .row import Attributes, Implementation, Inputs, Operator, Outputs
from .signature import Attribute, Parameter

NORMS = ("MAX", "L1", "L2")


def _by(normalized: Callable[[NDArray[Any], str], NDArray[Any]]) -> Implementation:
    """Make an operator of ``normalized(x, norm)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x, norm = inputs[0], attributes["norm"]
        if norm not in NORMS:
            message = f"{row.name} expected a norm of {', '.join(NORMS)} (got {norm!r}); choose one of these"
            raise ValueError(message)
        if x.ndim not in (1, 2):
            message = f"{row.name} expected an input of shape (N, C) or (C,) (got {x.shape}); reshape it"
            raise ValueError(message)
        return (normalized(x, norm),)

    return run


def _kernel(x: NDArray[Any], norm: str) -> NDArray[np.float32]:
    """In float64."""
    if not x.size:
        return x.astype(np.float32)
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        if norm == "MAX":
            divisor = wide.max(-1, keepdims=True)
        else:
            scale = np.abs(wide).max(-1, keepdims=True)  # lest the squares overflow
            wide = np.where(scale != 0, wide / scale, wide)
            size = np.abs(wide) if norm == "L1" else wide * wide
            divisor = size.sum(-1, keepdims=True)
            if norm == "L2":
                divisor = np.sqrt(divisor)
        return np.where(divisor != 0, wide / divisor, wide).astype(np.float32)


ROWS: tuple[Operator, ...] = (
    Operator(
        op_type="Normalizer",
        domain="ai.onnx.ml",
        since_version=1,
        axis_rule="single",
        default_axis=-1,
        types={"T": NUMBERS},
        inputs=(Parameter("X", "T"),),
        outputs=(Parameter("Y", "float32"),),
        attributes={"norm": Attribute("string", "MAX")},
        kernel=_by(_kernel),
        reference=_by(classifiers.normalizer),
        notes=(
            "MAX divides by the largest number, as the text says, not by the largest magnitude.",
            "L1 and L2 divide by the norms, as onnxruntime and onnx.reference: of a negative number the text "
            "would leave out the magnitude (L1) or lose the sign (L2).",
        ),
    ),
)
