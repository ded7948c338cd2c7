"""The rule of each operator: how far its own roundings take its results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from . import classical, elementwise, images, normalization, recurrent, softmax, sums
from .call import Call, Rule

RULES: dict[tuple[str, str], Rule] = {
    **elementwise.RULES,
    **sums.RULES,
    **softmax.RULES,
    **normalization.RULES,
    **images.RULES,
    **classical.RULES,
}

SLOPES = elementwise.SLOPES

STEPWISE = {**normalization.STEPWISE, **recurrent.STEPWISE}

_EXACT = frozenset(
    (
        *(
            "Abs",
            "AffineGrid",
            "And",
            "ArgMax",
            "ArgMin",
            "BitShift",
            "Ceil",
            "Clip",
            "Compress",
            "Concat",
            "Constant",
        ),
        *(
            "ConcatFromSequence",
            "ConstantOfShape",
            "DepthToSpace",
            "Dropout",
            "Equal",
            "Expand",
            "EyeLike",
            "Flatten",
        ),
        *(
            "Floor",
            "Gather",
            "GatherElements",
            "GatherND",
            "GlobalMaxPool",
            "Greater",
            "GreaterOrEqual",
            "Hardmax",
        ),
        *(
            "Identity",
            "IsInf",
            "IsNaN",
            "Less",
            "LessOrEqual",
            "Max",
            "MaxPool",
            "Min",
            "Neg",
            "NonMaxSuppression",
        ),
        *(
            "NonZero",
            "Not",
            "OneHot",
            "Optional",
            "OptionalGetElement",
            "OptionalHasElement",
            "Or",
            "Pad",
            "Range",
        ),
        *(
            "ReduceMax",
            "ReduceMin",
            "Relu",
            "Reshape",
            "ReverseSequence",
            "Round",
            "Scatter",
            "ScatterElements",
        ),
        *("ScatterND", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert"),
        *(
            "SequenceLength",
            "Shape",
            "Sign",
            "Size",
            "Slice",
            "SpaceToDepth",
            "Split",
            "SplitToSequence",
            "Squeeze",
        ),
        *("ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Where", "Xor"),
        *(
            "ArrayFeatureExtractor",
            "Binarizer",
            "FeatureVectorizer",
            "Imputer",
            "LabelEncoder",
            "OneHotEncoder",
            "ZipMap",
        ),
        *("CategoryMapper", "DictVectorizer", "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"),
        *("RandomUniform", "RandomUniformLike", "StringNormalizer", "TfIdfVectorizer", "Cast", "CastMap"),
    )
)
"""Operators that hand on numbers as they are, or that take a decision."""


def own_noise(call: Call) -> tuple[list[Any], bool]:
    """
    Return the standard deviation of the roundings of each output of a node, None where there are none.

    The second says whether there is a rule. Where there is none, a result is rounded, and moves as it does when the
    inputs are rounded.
    """
    proto = call.node.proto
    rule = RULES.get((proto.domain, proto.op_type))
    if rule is None and proto.op_type in _EXACT:
        return [None] * len(call.outputs), True
    with np.errstate(all="ignore"):
        sigma = _of_inputs(call) if rule is None else rule(call)
    sigmas = sigma if isinstance(sigma, list) else [sigma]
    return [*sigmas, *[None] * (len(call.outputs) - len(sigmas))], rule is not None


def _of_inputs(call: Call) -> list[Array | None]:
    random = np.random.default_rng(0)

    def rounded(x: Any) -> Any:
        is_float = isinstance(x, np.ndarray) and x.dtype == np.float64
        return x * (1 + call.alpha * random.choice([-1.0, 1.0], x.shape)) if is_float else x

    found: list[Array | None] = []
    for mine, other in zip(call.outputs, call.run(*map(rounded, call.inputs)), strict=False):
        if isinstance(mine, np.ndarray) and mine.dtype == np.float64 and mine.shape == np.shape(other):
            moved = np.nan_to_num(other - mine, nan=0, posinf=0, neginf=0)
            spread = np.sqrt(np.mean(moved**2)) if moved.size else 0.0
            found.append(np.hypot(np.maximum(np.abs(moved), spread), 2 * call.alpha * np.abs(mine)))
        else:
            found.append(None)
    return found
