"""Outputs that are named like probabilities: does anything that normalises make them?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from onnx import ModelProto

from ..expressions.passing import passes_on
from ..graph.domains import canonical_domain
from ..graph.scopes import Made, Scope, Value
from ..graph.walk import attribute_of
from ..operators.table import unquantized
from .calls import label_of
from .family import MICROSOFT, ML, text
from .sources import sources
from .warning import Finding

_PROBABILITY = {"prob", "probs", "proba", "probas", "probability", "probabilities", "softmax"}
_OTHERWISE = {"log", "logprob", "logprobs", "logit", "logits", "label", "labels"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_NORMALISERS = {
    "": {"Softmax", "Hardmax", "Sigmoid", "HardSigmoid", "LpNormalization", "OneHot"},
    ML: {"Normalizer"},
    MICROSOFT: {"Softmax", "Sigmoid", "BiasSoftmax"},  # the first two quantized
}
# Choose among their first input's elements, or pass them on as another type.
_FIRST = {
    "": {
        *("Slice", "Gather", "GatherElements", "GatherND", "Split", "TopK", "Compress", "ReverseSequence"),
        *("ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum", "GlobalAveragePool", "AveragePool", "MaxPool"),
        *("Expand", "Tile", "Pad", "Resize", "Squeeze"),
        *("Clip", "QuantizeLinear", "DequantizeLinear", "CastLike"),
    },
    ML: {"ZipMap"},
    MICROSOFT: {"QuantizeLinear", "DequantizeLinear"},
}
# Probabilities if all that goes in is: averages, mixtures, complements.
_ALL = {
    *("Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Min", "MatMul"),
    *("Concat", "Where", "SequenceConstruct"),
}
# Numbers that are neither scores nor probabilities, and operators whose insides are not followed.
_OPAQUE = {
    *("If", "Loop", "Scan", "SequenceAt", "Optional", "OptionalGetElement", "Attention"),
    *("Constant", "ConstantOfShape", "Shape", "Size", "Range", "NonZero", "EyeLike"),
    *(
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Not",
        "And",
        "Or",
        "Xor",
        "IsNaN",
        "IsInf",
    ),
}
_CURE = "put a Softmax (or a Sigmoid) before the output, or name it for what it is, such as logits"
_CURES = {
    "LogSoftmax": "name it for what it is, such as log_probabilities, or make it a Softmax by `softops export replace "
    "--activation softmax`"
}
# Calls of this depth stay far within what Python allows.
_DEEPEST = 100


class _Verdict(IntEnum):
    """The worst first: of several values that one is made of, it counts."""

    NOT_NORMALISED = 0
    CANNOT_BE_TOLD = 1
    NORMALISED = 2


def not_a_probability(model: ModelProto, main: Scope, release: str | None) -> Iterator[Finding]:
    """The outputs that are named like probabilities and made by something else."""
    judge = _Judge()
    for output in model.graph.output:
        if not is_named_like_probabilities(output.name) or not _holds_floats(main, output.name):
            continue
        verdict, by = judge.judge(Value(main, output.name))
        if verdict is _Verdict.NOT_NORMALISED and by is not None:
            yield Finding(
                f"output '{output.name}' is named like probabilities, but {by.node.op_type} "
                f"'{label_of(by.node)}' makes it, which does not normalise",
                _CURES.get(by.node.op_type, _CURE),
                at=(by.scope, by.node),
            )


def is_named_like_probabilities(name: str) -> bool:
    """Whether a name speaks of probabilities, and not of their logarithms or labels."""
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _PROBABILITY) and not words & _OTHERWISE


def _holds_floats(scope: Scope, name: str) -> bool:
    dtype = scope.value_type(name).dtype
    return dtype is None or dtype.startswith(("float", "bfloat"))


class _Judgement(NamedTuple):
    verdict: _Verdict
    by: Made | None = None


class _Judge:
    """Follows values back to what normalises them, each node once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], _Judgement] = {}

    def judge(self, value: Value, depth: int = 0) -> _Judgement:
        """Say whether a value is normalised, and by which node it is not."""
        made = value.scope.maker(value.name)
        # An input or a constant: whoever gives it knows.
        if made is None or depth > _DEEPEST:
            return _Judgement(_Verdict.CANNOT_BE_TOLD)
        key = id(made.scope), id(made.node), made.output
        if key not in self._known:
            self._known[key] = _Judgement(_Verdict.CANNOT_BE_TOLD)  # what goes in a circle stays so
            self._known[key] = self._of_node(made, depth + 1)
        return self._known[key]

    def _of_node(self, made: Made, depth: int) -> _Judgement:
        node, scope, domain = made.node, made.scope, canonical_domain(made.node.domain)
        parts = made.within()
        if node.input and (node.op_type in _FIRST.get(domain, ()) or passes_on(scope, node)):
            parts = [Value(scope, node.input[0])]
        if parts:
            return self._worst(parts, depth)
        if domain == "" and node.op_type in _ALL and not _is_quotient_by_sum(made):
            given = node.input[1:] if node.op_type == "Where" else node.input
            computed = [Value(scope, name) for name in given if scope.maker(name) is not None]
            # Of inputs and constants alone: scores, such as those of a linear model.
            return _Judgement(
                self._worst(computed, depth).verdict if computed else _Verdict.NOT_NORMALISED, made
            )
        return _Judgement(_verdict_of(made), made)

    def _worst(self, parts: list[Value], depth: int) -> _Judgement:
        judgements = [self.judge(part, depth) for part in reversed(parts)]
        return min(reversed(judgements), key=lambda judgement: judgement.verdict)


def _verdict_of(made: Made) -> _Verdict:
    domain, op_type = canonical_domain(made.node.domain), made.node.op_type
    if (
        unquantized(op_type, domain) in _NORMALISERS.get(domain, ())
        or _is_log_undone(made)
        or _is_quotient_by_sum(made)
    ):
        return _Verdict.NORMALISED
    if domain == ML:
        return _of_classical(made)
    return _Verdict.CANNOT_BE_TOLD if domain or op_type in _OPAQUE else _Verdict.NOT_NORMALISED


def _of_classical(made: Made) -> _Verdict:
    """The operators of ai.onnx.ml: classifiers give scores unless told otherwise."""
    node = made.node
    if text(node, "post_transform", "NONE") != "NONE" or node.op_type.startswith("TreeEnsemble"):
        return _Verdict.NORMALISED  # the leaves of a forest hold probabilities already
    if node.op_type == "SVMClassifier" and attribute_of(node, "prob_a") is not None:
        return _Verdict.NORMALISED
    known = {"LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor", "Scaler"}
    return _Verdict.NOT_NORMALISED if node.op_type in known else _Verdict.CANNOT_BE_TOLD


def _is_log_undone(exp: Made) -> bool:
    """exp(LogSoftmax(x)) and exp(x - logsumexp(x))."""
    inner = _maker_behind(exp, 0) if exp.node.op_type == "Exp" else None
    if inner is None or inner.node.op_type != "Sub":
        return inner is not None and inner.node.op_type == "LogSoftmax"
    subtracted = _maker_behind(inner, 1)
    return subtracted is not None and subtracted.node.op_type in {"ReduceLogSumExp", "ReduceLogSum", "Log"}


def _is_quotient_by_sum(div: Made) -> bool:
    """x / sum(x), 1 / (1 + exp(-x)) and the like: the normaliser written out."""
    divisor = _maker_behind(div, 1) if div.node.op_type == "Div" else None
    sums = {"ReduceSum", "ReduceL1", "Add", "Sum", "Clip", "Max"}
    return divisor is not None and divisor.node.op_type in sums


def _maker_behind(made: Made, position: int) -> Made | None:
    given = made.node.input
    return next(sources(made.scope, given[position]), None) if len(given) > position else None
