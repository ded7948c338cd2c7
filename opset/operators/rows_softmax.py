"""Rows of the table: Softmax, LogSoftmax, Hardmax, Sigmoid, Softplus and ReduceLogSumExp."""

from __future__ import annotations

from typing import Any

from ..oracle import (
    arbitrary_precision as reference_mpmath,
)
from ..oracle import (
    elementwise as reference_elementwise,
)
from ..oracle import (
    normalizers as reference_rows,
)
from ..oracle.arbitrary_precision import cut_off, to_odd
from . import kernels, reference_operators
from .attribute import Attribute
from .axis import AxisRule
from .dtypes import LONG_INTEGERS, floats
from .row import Computed, Operator, Parameter


def _normaliser(op_type: str, since_version: int, computed: Computed) -> Operator:
    rule: AxisRule = "flatten" if since_version < 13 else "single"
    default = 1 if since_version < 13 else -1
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule=rule,
        default_axis=default,
        types={"T": floats(since_version >= 13)},
        inputs=(Parameter("input", "T"),),
        outputs=(Parameter("output", "T"),),
        attributes={"axis": Attribute("int", default)},
        **computed._asdict(),
        notes=_NORMALISER_NOTES[op_type] + _AXIS_NOTES.get(since_version, ()),
    )


_SPECIAL = (
    "ONNX says nothing of infinities: a NaN or +inf in a row, or nothing but -inf, makes the whole row NaN; "
    "-inf beside finite values gives {}."
)
_NORMALISER_NOTES = {
    "Softmax": (_SPECIAL.format("0"),),
    "LogSoftmax": (
        _SPECIAL.format("-inf"),
        "Computed without the detour over softmax: finite below log of its least.",
    ),
    "Hardmax": ("A NaN counts as the largest, as in numpy.argmax: the first one gets the 1.",),
}
_AXIS_NOTES = {
    1: (
        "No range of axis is named: it lies in [-r, r-1] as in version 11, which is how onnxruntime reads it; "
        "axis = r, which the text would need an empty product for, is refused.",
    ),
}


def _elementwise(
    op_type: str, since_version: int, computed: Computed, *, bfloat16: bool, **more: Any
) -> Operator:
    return Operator(
        op_type=op_type,
        since_version=since_version,
        types={"T": floats(bfloat16)},
        inputs=(Parameter("X", "T"),),
        outputs=(Parameter("Y", "T"),),
        **computed._asdict(),
        **more,
    )


def _reduce_log_sum_exp(since_version: int) -> Operator:
    attributes = {"keepdims": Attribute("int", 1)}
    inputs = [Parameter("data", "T")]
    if since_version < 18:
        attributes["axes"] = Attribute("ints")
    else:
        attributes["noop_with_empty_axes"] = Attribute("int", 0)
        inputs.append(Parameter("axes", "int64", optional=True))
    allowed = floats(since_version >= 13)
    notes = [
        "Over an empty set: -inf; in an integer dtype, where ONNX leaves it undefined, the lowest value.",
        "An empty list of axes means the same as none given.",
    ]
    if since_version < 28:
        notes.append(
            "Integers: the exact result cut off towards zero, as by the Cast of the function body of "
            "version 18. onnxruntime adds the cut-off logarithm to the maximum: one less where the result is negative."
        )
    if since_version < 11:
        notes.append("Negative axes, of which the text does not speak, are counted from the end.")
    return Operator(
        op_type="ReduceLogSumExp",
        since_version=since_version,
        axis_rule="single",
        types={"T": allowed if since_version >= 28 else allowed + LONG_INTEGERS},
        inputs=tuple(inputs),
        outputs=(Parameter("reduced", "T"),),
        attributes=attributes,
        kernel=kernels.reduce_log_sum_exp,
        reference=reference_operators.reduce_log_sum_exp(reference_rows.logsumexp),
        reference_float64=reference_operators.reduce_log_sum_exp_exactly(
            to_odd(reference_mpmath.logsumexp), cut_off(reference_mpmath.logsumexp)
        ),
        notes=tuple(notes),
    )


_SOFTMAX = Computed(
    kernels.along_axis("softmax"),
    reference_operators.along_axis(reference_rows.softmax),
    reference_operators.along_axis(to_odd(reference_mpmath.softmax)),
)
_LOG_SOFTMAX = Computed(
    kernels.along_axis("log_softmax"),
    reference_operators.along_axis(reference_rows.log_softmax),
    reference_operators.along_axis(to_odd(reference_mpmath.log_softmax)),
)
_HARDMAX = Computed(kernels.along_axis("hardmax"), reference_operators.along_axis(reference_rows.hardmax))
_SIGMOID = Computed(
    kernels.elementwise("sigmoid"),
    reference_operators.elementwise(reference_elementwise.sigmoid),
    reference_operators.elementwise(to_odd(reference_mpmath.sigmoid)),
)
_SOFTPLUS = Computed(
    kernels.elementwise("softplus"),
    reference_operators.elementwise(reference_elementwise.softplus),
    reference_operators.elementwise(to_odd(reference_mpmath.softplus)),
)

ROWS: tuple[Operator, ...] = (
    *(_normaliser("Softmax", version, _SOFTMAX) for version in (1, 11, 13)),
    *(_normaliser("LogSoftmax", version, _LOG_SOFTMAX) for version in (1, 11, 13)),
    *(_normaliser("Hardmax", version, _HARDMAX) for version in (1, 11, 13)),
    _elementwise(
        "Sigmoid",
        1,
        _SIGMOID,
        bfloat16=False,
        attributes={"consumed_inputs": Attribute("ints")},
        notes=("consumed_inputs, a hint at memory from before opset 6, changes nothing.",),
    ),
    _elementwise("Sigmoid", 6, _SIGMOID, bfloat16=False),
    _elementwise("Sigmoid", 13, _SIGMOID, bfloat16=True),
    _elementwise("Softplus", 1, _SOFTPLUS, bfloat16=False),
    _elementwise("Softplus", 22, _SOFTPLUS, bfloat16=True),
    *(_reduce_log_sum_exp(version) for version in (1, 11, 13, 18, 28)),
)
