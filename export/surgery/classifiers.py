"""The classifiers and regressors of ai.onnx.ml, which hold an activation and a decision inside."""

from __future__ import annotations

from collections.abc import Collection

from onnx import NodeProto, TensorProto, TypeProto, helper

from softops.opset import UnsupportedModelError
from softops.opset.graph.walk import attribute_of

from .opened import OpenModel

ML = "ai.onnx.ml"
CLASSIFIERS = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
REGRESSORS = ("LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor", "TreeEnsemble")
TRANSFORMS = {
    "none": "NONE",
    "softmax": "SOFTMAX",
    "sigmoid": "LOGISTIC",
    "softmax_zero": "SOFTMAX_ZERO",
    "probit": "PROBIT",
}
"""What an activation is called in ``post_transform``; TreeEnsemble numbers them in another order."""

_NUMBERS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_CALIBRATION = ("prob_a", "prob_b")


def is_classical(node: NodeProto) -> bool:
    """Whether it is a classifier or regressor of ai.onnx.ml."""
    return node.domain == ML and node.op_type in (*CLASSIFIERS, *REGRESSORS)


def scores_of(node: NodeProto) -> str:
    """The output that holds the scores."""
    position = 1 if node.op_type in CLASSIFIERS else 0
    return str(node.output[position]) if len(node.output) > position else ""


def transform_of(node: NodeProto) -> str:
    """What a classifier makes of its scores: ``NONE``, ``SOFTMAX``, ``LOGISTIC`` … or ``PROBABILITIES`` of an SVM."""
    if any(attribute_of(node, name) is not None for name in _CALIBRATION):
        return "PROBABILITIES"
    given = attribute_of(node, "post_transform")
    if given is None:
        return "NONE"
    return _NUMBERS[given.i] if node.op_type == "TreeEnsemble" else given.s.decode("utf-8", "replace")


def set_transform(node: NodeProto, transform: str) -> None:
    """Let a classifier make something else of its scores."""
    kept = [a for a in node.attribute if a.name not in ("post_transform", *_CALIBRATION)]
    del node.attribute[:]
    node.attribute.extend(kept)
    if transform != "NONE":
        value: str | int = _NUMBERS.index(transform) if node.op_type == "TreeEnsemble" else transform
        node.attribute.append(helper.make_attribute("post_transform", value))


def check_transform(node: NodeProto, activation: str) -> None:
    """Raise where a classifier cannot have that activation."""
    wrong = None
    if transform_of(node) == "PROBABILITIES":
        wrong = "has probabilities of its own (prob_a, prob_b); take it back to its scores by strip_head"
    elif activation in ("softmax", "softmax_zero") and _has_one_score(node):
        wrong = "has one score for two classes, of which runtimes make no softmax; choose sigmoid"
    if wrong is not None:
        message = (
            f"expected a classifier that can have the activation {activation} (the {node.op_type} {wrong})"
        )
        raise UnsupportedModelError(message)


def _has_one_score(node: NodeProto) -> bool:
    if node.op_type not in CLASSIFIERS:
        return False
    labels = sum(len(a.ints) + len(a.strings) for a in node.attribute if a.name.startswith("classlabels_"))
    scores = {
        "LinearClassifier": "intercepts",
        "TreeEnsembleClassifier": "class_ids",
    }.get(node.op_type)
    given = None if scores is None else attribute_of(node, scores)
    values: Collection[float] = (0,) if given is None else given.floats or set(given.ints)
    return labels == 2 and (node.op_type == "SVMClassifier" or (given is not None and len(values) == 1))


def add_raw_scores(opened: OpenModel, node: NodeProto, name: str) -> TypeProto:
    """
    Add a node that gives the scores of a classifier before it makes anything of them; return their type.

    The classifier itself stays, for whom it may concern.
    """
    raw = NodeProto()
    raw.CopyFrom(node)
    set_transform(raw, "NONE")
    position = 1 if node.op_type in CLASSIFIERS else 0
    fresh = opened.scope.names.fresh
    raw.output[:] = [name if at == position else fresh(f"{name}_{out}") for at, out in enumerate(node.output)]
    raw.name = name
    graph = opened.model.graph
    nodes = list(graph.node)
    nodes.insert(1 + next(at for at, other in enumerate(nodes) if other.output[0] == node.output[0]), raw)
    del graph.node[:]
    graph.node.extend(nodes)
    element, shape = (
        opened.scope.element(scores_of(node)),
        opened.scope.value_type(scores_of(node)).shape or (None, None),
    )
    if node.op_type == "SVMClassifier":
        shape = (*shape[:-1], None)  # a decision for each pair of classes, a probability for each class
    made: TypeProto = helper.make_tensor_type_proto(element or TensorProto.FLOAT, shape)
    return made
