"""Rows of the table: LinearClassifier and Normalizer of ai.onnx.ml."""

from __future__ import annotations

from ..oracle import ml as reference_ml
from . import kernels_ml
from .attribute import Attribute
from .row import Operator, Parameter

_NUMBERS = ("float32", "float64", "int64", "int32")

ROWS: tuple[Operator, ...] = (
    Operator(
        op_type="LinearClassifier",
        domain="ai.onnx.ml",
        since_version=1,
        axis_rule="single",
        default_axis=-1,
        types={"T1": _NUMBERS, "T2": ("string", "int64")},
        inputs=(Parameter("X", "T1"),),
        outputs=(Parameter("Y", "T2"), Parameter("Z", "float32")),
        attributes={
            "classlabels_ints": Attribute("ints"),
            "classlabels_strings": Attribute("strings"),
            "coefficients": Attribute("floats", required=True),
            "intercepts": Attribute("floats"),
            "multi_class": Attribute("int", 0),
            "post_transform": Attribute("string", "NONE"),
        },
        kernel=kernels_ml.linear_classifier,
        reference=reference_ml.linear_classifier,
        notes=(
            "Label: that of the largest score, of equal ones the first, whatever the transform.",
            "One score s and two labels, of which ONNX does not speak, as onnxruntime: the second label where "
            "s > 0, and the scores [1 - s, s], for LOGISTIC [sigmoid(-s), sigmoid(s)]. SOFTMAX and SOFTMAX_ZERO "
            "change nothing there. PROBIT takes the quantile of both; onnxruntime leaves one of them unset.",
            "SOFTMAX_ZERO, which ONNX does not define: a score of 0 stays 0, the softmax is over the others. "
            "onnxruntime takes scores up to 1e-7 for 0, and gives NaN where all are.",
            "PROBIT, which ONNX does not define: the quantile of the standard normal distribution, NaN outside "
            "[0, 1]. onnxruntime and onnx.reference take an approximation with four right digits.",
            "multi_class changes nothing, as in onnxruntime. Without intercepts, which are optional and which "
            "onnxruntime asks for, they are 0.",
            "Inputs of float64 and of integers are computed in float64; onnxruntime casts them to float32 first.",
        ),
    ),
    Operator(
        op_type="Normalizer",
        domain="ai.onnx.ml",
        since_version=1,
        axis_rule="single",
        default_axis=-1,
        types={"T": _NUMBERS},
        inputs=(Parameter("X", "T"),),
        outputs=(Parameter("Y", "float32"),),
        attributes={"norm": Attribute("string", "MAX")},
        kernel=kernels_ml.normalizer,
        reference=reference_ml.normalizer,
        notes=(
            "MAX divides by the largest number, as the text says, not by the largest magnitude.",
            "L1 and L2 divide by the norms, as onnxruntime and onnx.reference: of a negative number the text "
            "would leave out the magnitude (L1) or lose the sign (L2).",
        ),
    ),
)
