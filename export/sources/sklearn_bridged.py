"""A classifier that skl2onnx converts, with the outputs that ours have."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..bridges.conversion import Block, Bridge
from ..bridges.packages import load_skl2onnx, register_boosting
from ..builder.graph import ML, Graph
from ..builder.steps import slice_axis
from ..errors import ConversionError
from ..heads.sigmoid import both_signs
from .sklearn_parts import Classifier, Parts, check_fitted, class_labels, integers_of, kind_of


def read_bridged(estimator: Any, bridge: Bridge) -> Classifier:
    """Return what skl2onnx makes of a fitted classifier: its label, and its probabilities or else its decision."""
    check_fitted(estimator)
    kind = kind_of(estimator)
    if not hasattr(estimator, "classes_"):
        what = "a regressor" if hasattr(estimator, "predict") else "no estimator"
        cure = (
            "call skl2onnx.to_onnx(model, X[:1]) for one"
            if hasattr(estimator, "predict")
            else "pass what fit returned"
        )
        message = f"expected a fitted classifier, or a Pipeline that ends in one (got {kind}, {what}); {cure}"
        raise TypeError(message)
    classes = class_labels(estimator)
    probable, decides = (hasattr(estimator, name) for name in ("predict_proba", "decision_function"))
    if not (probable or decides):
        message = (
            f"expected a classifier with probabilities or a decision (got {kind}, which has labels alone); export "
            "the label by skl2onnx.to_onnx(model, X[:1])"
        )
        raise TypeError(message)
    load_skl2onnx(kind)
    register_boosting(estimator)

    def add(graph: Graph, x: str) -> Parts:
        wide = bridge.wide
        given = Block(x, int(estimator.n_features_in_), np.dtype(np.float64) if wide else graph.compute)
        label, scores = _outputs(kind, bridge.convert(graph, estimator, [given], wide=wide))
        kept = scores.tensor if scores.dtype == graph.compute else graph.cast(scores.tensor, graph.compute)

        @cache
        def index() -> str:
            return _index(graph, label, classes)

        if probable:
            return Parts(ranking=lambda: kept, index=index, probabilities=lambda: kept)
        if len(classes) == 2 and scores.width != 1:
            # skl2onnx gives [decision, -decision] for support vectors, [-decision, decision] for all others.
            first = 0 if hasattr(estimator, "support_vectors_") else 1
            kept = slice_axis(graph, kept, 1, first, first + 1, name="decision_of_second")
        decision = kept

        @cache
        def ranking() -> str:
            return both_signs(graph, decision) if len(classes) == 2 else decision

        return Parts(ranking=ranking, index=index, decision=lambda: decision)

    return Classifier(
        classes=classes,
        features=int(estimator.n_features_in_),
        probable=probable,
        decides=decides and not probable,
        add=add,
    )


def _outputs(kind: str, found: list[Block]) -> tuple[Block, Block]:
    if len(found) < 2:
        message = (
            f"expected a label and scores from the converter of {kind} (got {len(found)} output); register one that "
            "gives both with skl2onnx.update_registered_converter"
        )
        raise ConversionError(message)
    return found[0], found[1]


def _index(graph: Graph, label: Block, classes: Any) -> str:
    """Return the index of the label (N,) among the classes."""
    flat = graph.node(
        "Reshape", label.tensor, graph.constant("flat", np.array([-1], np.int64)), name="given_label"
    )
    if label.dtype == object:
        names = [str(name) for name in classes]
        numbers = list(range(len(names)))
        attributes = (
            {"keys_strings": names, "values_int64s": numbers}
            if graph.opset >= 11
            else {"classes_strings": names}
        )
        graph.use(ML, 2 if graph.opset >= 11 else 1)
        return graph.node("LabelEncoder", flat, name="label_index", domain=ML, **attributes)
    whole = integers_of(classes)
    if whole.dtype.kind not in "iu":
        message = (
            f"expected labels of {classes.dtype} from the converter (got {label.dtype}); register one that gives them "
            "with skl2onnx.update_registered_converter"
        )
        raise ConversionError(message)
    column = graph.node(
        "Reshape", flat, graph.constant("upright", np.array([-1, 1], np.int64)), name="labels_upright"
    )
    wide = graph.cast(column, np.int64)
    same = graph.node(
        "Equal", wide, graph.constant("classes_in_order", whole.astype(np.int64)), name="is_label"
    )
    return graph.node("ArgMax", graph.cast(same, np.int32), name="label_index", axis=1, keepdims=0)
