"""The rows whose label a model does not settle: it hangs on rounding, or on what ONNX leaves open."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from .exact import lead, undecided_labels
from .graph import Arrays, ModelGraph

Rows = NDArray[np.bool_]

_PASSED_ON = ("Gather", "Identity", "Cast")
"""Between a decision and the label that it stands for."""

TREES = "TreeEnsembleClassifier"

_TREES = 2.0**-16
"""What the order of a sum over trees in float32 may come to, of the largest score of a row."""


def undecided(graph: ModelGraph, tensor: str, like: NDArray[Any], values: Arrays) -> Rows | None:
    """
    Return the rows whose label the model does not settle, in the form of ``like``; None where it cannot be told.

    These are the rows with a NaN among the logits, of which ONNX does not say what ArgMax makes, and those of trees
    whose two largest scores differ by no more than the order of a sum may come to. ``values`` has the logits.
    """
    node = graph.producers.get(tensor)
    while node is not None and node.op_type in _PASSED_ON:
        node = graph.producers.get(node.input[-1])
    if node is None:
        return None
    family = graph.family_node(node.output[0])
    if family is not None and (inputs := graph.inputs_of(family, values)) is not None:
        return _shaped(undecided_labels(family, inputs), like)
    found = _scores(graph, node, values)
    if found is None:
        return None
    scores, axis = found
    logits = np.moveaxis(scores.astype(np.float64), axis, -1)
    if logits.shape[-1] < 2:
        return None
    rows = np.isnan(logits).any(-1)
    if node.op_type == TREES:
        rows |= lead(logits) <= _TREES * np.abs(logits).max(-1)
    return _shaped(np.asarray(rows), like)


def _scores(graph: ModelGraph, node: onnx.NodeProto, values: Arrays) -> tuple[NDArray[Any], int] | None:
    """Return what a node decides on, and along which axis; of trees these are the scores that it gives itself."""
    if node.op_type == "ArgMax":
        scores, axis = graph.value(node.input[0], values), attributes_of(node).get("axis", 0)
    elif node.op_type == TREES and len(node.output) > 1:
        scores, axis = values.get(node.output[1]), -1
    else:
        return None
    return None if scores is None or not scores.ndim else (scores, axis)


def _shaped(rows: Rows | None, like: NDArray[Any]) -> Rows | None:
    """Return the rows in the form of the labels, whether these keep the axis or not."""
    if rows is None or rows.size != like.size:
        return None
    return rows.reshape(like.shape)
