"""Softmax, LogSoftmax and Hardmax, under the axis rule of their version; Sigmoid and Softplus, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..oracle import arbitrary_precision, elementwise, softmax
from ..oracle.arbitrary_precision import to_odd
from .axis import along, rule_at
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import Attribute, Parameter, floats


def _along_axis(function: Callable[..., Any]) -> Implementation:
    """Make an operator of ``function(x, axis)`` under the row's axis rule."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        assert row.axis_rule is not None
        return (along(row.axis_rule, function, inputs[0], attributes["axis"], name=row.name),)

    return run


def _of_elements(function: Callable[..., Any]) -> Implementation:
    """Make an operator of ``function(x)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        return (np.asarray(function(inputs[0])),)

    return run


_SPECIAL = (
    "ONNX says nothing of infinities: a NaN or +inf in a row, or nothing but -inf, makes the whole row NaN; "
    "-inf beside finite values gives {}."
)
_RANGE_OF_AXIS = (
    "No range of axis is named: it lies in [-r, r-1] as in version 11, which is how onnxruntime reads it; "
    "axis = r, which the text would need an empty product for, is refused."
)


def _normaliser(
    op_type: str,
    since_version: int,
    kernel: Implementation,
    reference: Implementation,
    reference_float64: Implementation | None,
    *notes: str,
) -> Operator:
    rule = rule_at(since_version)
    default = 1 if rule == "flatten" else -1
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule=rule,
        default_axis=default,
        types={"T": floats(since_version >= 13)},
        inputs=(Parameter("input", "T"),),
        outputs=(Parameter("output", "T"),),
        attributes={"axis": Attribute("int", default)},
        kernel=kernel,
        reference=reference,
        reference_float64=reference_float64,
        notes=notes if since_version > 1 else (*notes, _RANGE_OF_AXIS),
    )


def _elementwise(op_type: str, since_version: int, *, bfloat16: bool, **more: Any) -> Operator:
    name = op_type.lower()
    return Operator(
        op_type=op_type,
        since_version=since_version,
        types={"T": floats(bfloat16)},
        inputs=(Parameter("X", "T"),),
        outputs=(Parameter("Y", "T"),),
        kernel=_of_elements(numba_kernel(name)),
        reference=_of_elements(getattr(elementwise, name)),
        reference_float64=_of_elements(to_odd(getattr(arbitrary_precision, name))),
        **more,
    )


_SOFTMAX = (
    _along_axis(numba_kernel("softmax")),
    _along_axis(softmax.softmax),
    _along_axis(to_odd(arbitrary_precision.softmax)),
    _SPECIAL.format("0"),
)
_LOG_SOFTMAX = (
    _along_axis(numba_kernel("log_softmax")),
    _along_axis(softmax.log_softmax),
    _along_axis(to_odd(arbitrary_precision.log_softmax)),
    _SPECIAL.format("-inf"),
    "Computed without the detour over softmax: finite below log of its least.",
)
_HARDMAX = (
    _along_axis(numba_kernel("hardmax")),
    _along_axis(softmax.hardmax),
    None,
    "A NaN counts as the largest, as in numpy.argmax: the first one gets the 1.",
)

ROWS: tuple[Operator, ...] = (
    *(_normaliser("Softmax", version, *_SOFTMAX) for version in (1, 11, 13)),
    *(_normaliser("LogSoftmax", version, *_LOG_SOFTMAX) for version in (1, 11, 13)),
    *(_normaliser("Hardmax", version, *_HARDMAX) for version in (1, 11, 13)),
    _elementwise(
        "Sigmoid",
        1,
        bfloat16=False,
        attributes={"consumed_inputs": Attribute("ints")},
        notes=("consumed_inputs, a hint at memory from before opset 6, changes nothing.",),
    ),
    _elementwise("Sigmoid", 6, bfloat16=False),
    _elementwise("Sigmoid", 13, bfloat16=True),
    _elementwise("Softplus", 1, bfloat16=False),
    _elementwise("Softplus", 22, bfloat16=True),
)
