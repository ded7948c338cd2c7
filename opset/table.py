"""The rows: every operator of the family at every version, as the schemas say (a test compares them)."""

from __future__ import annotations

from typing import Any

from . import kernels, reference_elementwise, reference_operators, reference_rows
from .axis import AxisRule
from .rounding import cast
from .row import Attribute, Implementation, Operator, Parameter

FLOATS = ("float16", "float32", "float64")
FLOATS_AND_BFLOAT16 = ("bfloat16", *FLOATS)
INDICES = ("int32", "int64")
LONG_INTEGERS = ("int32", "int64", "uint32", "uint64")

_Pair = tuple[Implementation, Implementation]


def _floats(bfloat16: bool) -> tuple[str, ...]:
    return FLOATS_AND_BFLOAT16 if bfloat16 else FLOATS


def _normaliser(op_type: str, since_version: int, computed: _Pair) -> Operator:
    rule: AxisRule = "flatten" if since_version < 13 else "single"
    default = 1 if since_version < 13 else -1
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule=rule,
        default_axis=default,
        types={"T": _floats(since_version >= 13)},
        inputs=(Parameter("input", "T"),),
        outputs=(Parameter("output", "T"),),
        attributes={"axis": Attribute("int", default)},
        kernel=computed[0],
        reference=computed[1],
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
    op_type: str, since_version: int, computed: _Pair, *, bfloat16: bool, **more: Any
) -> Operator:
    return Operator(
        op_type=op_type,
        since_version=since_version,
        types={"T": _floats(bfloat16)},
        inputs=(Parameter("X", "T"),),
        outputs=(Parameter("Y", "T"),),
        kernel=computed[0],
        reference=computed[1],
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
    floats = _floats(since_version >= 13)
    notes = [
        "Over an empty set: -inf; in an integer dtype, where ONNX leaves it undefined, the lowest value.",
        "An empty list of axes means the same as none given.",
    ]
    if since_version < 28:
        notes.append(
            "Integers: the exact result cut off towards zero, as by the Cast of the function body of "
            "version 18, and by onnxruntime."
        )
    if since_version < 11:
        notes.append("Negative axes, of which the text does not speak, are counted from the end.")
    return Operator(
        op_type="ReduceLogSumExp",
        since_version=since_version,
        axis_rule="single",
        types={"T": floats if since_version >= 28 else floats + LONG_INTEGERS},
        inputs=tuple(inputs),
        outputs=(Parameter("reduced", "T"),),
        attributes=attributes,
        kernel=kernels.reduce_log_sum_exp,
        reference=reference_operators.reduce_log_sum_exp,
        rounding=cast,
        notes=tuple(notes),
    )


def _loss(
    op_type: str,
    since_version: int,
    names: tuple[str, str, str],
    outputs: tuple[Parameter, ...],
    computed: _Pair,
    *,
    bfloat16: bool,
) -> Operator:
    scores, labels, weights = names
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule="single",
        default_axis=1,
        types={"T": _floats(bfloat16), "Tind": INDICES},
        inputs=(Parameter(scores, "T"), Parameter(labels, "Tind"), Parameter(weights, "T", optional=True)),
        outputs=outputs,
        attributes={"ignore_index": Attribute("int"), "reduction": Attribute("string", "mean")},
        kernel=computed[0],
        reference=computed[1],
        notes=(
            "A mean without a single label that counts (or of weight 0 in all) is NaN: 0 / 0.",
            "With ignore_index the mean divides by the number, or the weight, of the labels that count, as the "
            "function body does; the text speaks of the number of elements.",
            "A label outside [0, C) that is not ignored is an error.",
        ),
    )


_SOFTMAX = (kernels.along_axis("softmax"), reference_operators.along_axis(reference_rows.softmax))
_LOG_SOFTMAX = (kernels.along_axis("log_softmax"), reference_operators.along_axis(reference_rows.log_softmax))
_HARDMAX = (kernels.along_axis("hardmax"), reference_operators.along_axis(reference_rows.hardmax))
_SIGMOID = (kernels.elementwise("sigmoid"), reference_operators.elementwise(reference_elementwise.sigmoid))
_SOFTPLUS = (kernels.elementwise("softplus"), reference_operators.elementwise(reference_elementwise.softplus))
_CROSS_ENTROPY = (kernels.softmax_cross_entropy, reference_operators.softmax_cross_entropy)
_NLL = (kernels.negative_log_likelihood, reference_operators.negative_log_likelihood)

_SCE_OUTPUTS = (Parameter("output", "T"), Parameter("log_prob", "T", optional=True))
_SCE_NAMES = ("scores", "labels", "weights")
_NLL_NAMES = ("input", "target", "weight")

TABLE: tuple[Operator, ...] = (
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
    _loss("SoftmaxCrossEntropyLoss", 12, _SCE_NAMES, _SCE_OUTPUTS, _CROSS_ENTROPY, bfloat16=False),
    _loss("SoftmaxCrossEntropyLoss", 13, _SCE_NAMES, _SCE_OUTPUTS, _CROSS_ENTROPY, bfloat16=True),
    _loss("NegativeLogLikelihoodLoss", 12, _NLL_NAMES, (Parameter("loss", "T"),), _NLL, bfloat16=False),
    _loss("NegativeLogLikelihoodLoss", 13, _NLL_NAMES, (Parameter("loss", "T"),), _NLL, bfloat16=False),
    _loss("NegativeLogLikelihoodLoss", 22, _NLL_NAMES, (Parameter("loss", "T"),), _NLL, bfloat16=True),
)
