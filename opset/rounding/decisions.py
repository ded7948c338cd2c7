"""
Decisions: what jumps where rounding moves what it is taken by.

A decision is that of the exact run in every sample, so that what follows is the noise beside that decision; but those
that hang on rounding are noted. They are looked for with the samples six times as far from the exact values: eight
samples by themselves would overlook what happens once in a hundred runs. What ranks is asked for gaps as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation, Value
from ..rounding_rules.call import run
from ..rounding_rules.precision import FLOATS
from .ranking import EXPLAINED, RANKERS, close_ranks
from .value import Noisy

_FACTOR = 6.0

_ROUNDING = 2.0**-16
"""Further off, relative to the largest, is more than rounding in float32."""

_ALL = frozenset(
    (
        *(
            ("", name)
            for name in ("ArgMax", "ArgMin", "Hardmax", "TopK", "NonMaxSuppression", "Unique", "NonZero")
        ),
        *(("", name) for name in ("Floor", "Ceil", "Round", "Sign", "Multinomial", "QuantizeLinear")),
        *(("", name) for name in ("DynamicQuantizeLinear", "MaxPool")),
        *(
            ("ai.onnx.ml", name)
            for name in (
                "Binarizer",
                "LabelEncoder",
                "LinearClassifier",
                "SVMClassifier",
                "TreeEnsemble",
                "TreeEnsembleClassifier",
                "TreeEnsembleRegressor",
            )
        ),
    )
)

_CONTINUOUS = {
    ("", "TopK"): {0},
    ("", "MaxPool"): {0},
    ("ai.onnx.ml", "LinearClassifier"): {1},
    ("ai.onnx.ml", "SVMClassifier"): {1},
}
"""The outputs of such operators that do not jump."""

LABELLERS = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
"""Operators whose first output is a label, and their second the scores that it is taken by."""


def decides(node: Node, inputs: Sequence[Noisy], outputs: Sequence[Value]) -> bool:
    """Whether a node takes a decision by floats."""
    key = node.proto.domain, node.proto.op_type
    if not any(x.dtype in FLOATS for x in inputs):
        return False
    if key in (("", "Cast"), ("", "CastLike")):
        return not (isinstance(outputs[0], np.ndarray) and outputs[0].dtype == np.float64)
    if key == ("", "MaxPool"):
        return len(outputs) > 1
    return key in _ALL


def undecided(
    node: Node,
    operation: Operation,
    inputs: Sequence[Noisy],
    outputs: Sequence[Value],
    samples: int,
    *,
    free: bool,
) -> tuple[list[Array | None], list[list[Value]]]:
    """
    Tell of each output of a decision which elements rounding may change; None for one that does not jump.

    The outputs in each sample come along, none where no input differs in any. ``free``: decisions before this one were
    taken anew in each, so that not all that moved the inputs is rounding.
    """
    continuous = _CONTINUOUS.get((node.proto.domain, node.proto.op_type), set())
    found: list[Array | None] = [
        None if place in continuous else np.zeros(np.shape(y), bool) for place, y in enumerate(outputs)
    ]
    if all(x.copies is None for x in inputs):
        return found, []
    others = [
        run(operation, [x.amplified(k, _FACTOR, _ROUNDING if free else np.inf) for x in inputs])
        for k in range(samples)
    ]
    for made in others:
        for place, (mine, other) in enumerate(zip(outputs, made, strict=False)):
            mask = found[place]
            if mask is not None:
                mask |= np.asarray(_differ(mine, other))
    ranked = RANKERS.get(node.proto.op_type) if not node.proto.domain else None
    if ranked is not None and (mask := found[ranked]) is not None:
        mask |= close_ranks(node, inputs[0], outputs[ranked])
    return found, others


def _differ(mine: Value, other: Value) -> Array | bool:
    if np.shape(mine) != np.shape(other):
        return True
    mine, other = np.asarray(mine), np.asarray(other)
    differ = np.asarray(mine != other)
    if mine.dtype == np.float64:
        differ &= ~(np.isnan(mine) & np.isnan(other))
    return differ


def close_calls(scores: Noisy, sigma: Array | None) -> Array:
    """Of each row of scores whether its first is ahead of the second by less than rounding explains."""
    exact = scores.exact
    noise = np.sqrt(scores.variance() + (0 if sigma is None else sigma**2)).max(-1, initial=0)
    if exact.shape[-1] < 2:
        return np.asarray(np.abs(exact[..., 0]) <= EXPLAINED * noise)
    second, first = np.moveaxis(np.partition(exact, -2, axis=-1)[..., -2:], -1, 0)
    return np.asarray((first - second <= EXPLAINED * np.sqrt(2) * noise) & (first != second))
