"""ai.onnx.ml's TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble; sums in float64, comparisons exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from ..operators.linear_classifier import POST_TRANSFORMS, transformed
from .forest import LEAF, MEMBER, MODES, Doubles, Forest, Places, Votes, votes_of
from .labels import class_labels
from .rows import matrix_of

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


def tree_ensemble_regressor(node: Node) -> Operation | None:
    """Each target's aggregate, and its base value. A softmax of one target is for nobody to say."""
    attributes = node.attributes
    targets = attributes.get("n_targets", 1)
    transform = attributes.get("post_transform", "NONE")
    if targets == 1 and transform != "NONE":
        return None
    forest, votes = _from_named_nodes(attributes, "target")
    base, how = _numbers(attributes, "base_values"), attributes.get("aggregate_function", "SUM")
    _check_aggregate(how)

    def run(x: Array) -> Array:
        scores, _ = votes.gathered(forest.leaves(matrix_of(x)), targets, how)
        return transformed(scores + base if base.size else scores, transform).astype(np.float32)

    return Operation(run, fresh=True)


def tree_ensemble(node: Node) -> Operation | None:
    """As the regressor, its trees told in another way."""
    attributes = node.attributes
    targets = attributes.get("n_targets", 1)
    transform = POST_TRANSFORMS[attributes.get("post_transform", 0)]
    if targets == 1 and transform != "NONE":
        return None
    forest, votes = _from_places(attributes)
    how = _AGGREGATES[attributes.get("aggregate_function", 1)]

    def run(x: Array) -> Array:
        scores, _ = votes.gathered(forest.leaves(matrix_of(x)), targets, how)
        return transformed(scores, transform).astype(x.dtype)

    return Operation(run, fresh=True)


def tree_ensemble_classifier(node: Node) -> Operation | None:
    """
    The label of the largest sum of votes, of equal ones the first, and the sums transformed.

    Where all votes are for the first of two classes, they make one score s of the second, as exporters mean it and
    onnxruntime reads it: with weights of 0 or more a probability, the label the second one above 0.5, the scores
    [1 - s, s]; with others the label is the second one above 0, the scores are [-s, s]. ONNX does not speak of it.
    LOGISTIC is known of the latter; other transforms, and votes for the second class alone, are for nobody to say.
    """
    attributes = node.attributes
    labels = class_labels(attributes, node.label)
    transform = attributes.get("post_transform", "NONE")
    forest, votes = _from_named_nodes(attributes, "class")
    base = _numbers(attributes, "base_values")
    voted = set(votes.targets.tolist())
    if len(labels) == 2 and voted == {0}:
        return _of_one_score(forest, votes, base, labels, transform)
    if len(labels) < 2 or base.size not in (0, len(labels)) or (len(labels) == 2 and voted == {1}):
        return None

    def run(x: Array) -> tuple[Array, Array]:
        scores, _ = votes.gathered(forest.leaves(matrix_of(x)), len(labels), "SUM")
        scores = scores + base if base.size else scores
        return labels[scores.argmax(1)], transformed(scores, transform).astype(np.float32)

    return Operation(run, many=True, fresh=True)


def _of_one_score(
    forest: Forest, votes: Votes, base: Doubles, labels: Array, transform: str
) -> Operation | None:
    is_probability = bool((votes.weights >= 0).all())
    if base.size > 1 or transform not in (("NONE",) if is_probability else ("NONE", "LOGISTIC")):
        return None

    def run(x: Array) -> tuple[Array, Array]:
        scores, _ = votes.gathered(forest.leaves(matrix_of(x)), len(labels), "SUM")
        score = scores.sum(1, keepdims=True) + base.sum()
        chosen = (score[:, 0] > (0.5 if is_probability else 0)).astype(np.intp)
        both = np.hstack([1 - score if is_probability else -score, score])
        return labels[chosen], transformed(both, transform).astype(np.float32)

    return Operation(run, many=True, fresh=True)


def _from_named_nodes(attributes: Mapping[str, Any], kind: str) -> tuple[Forest, Votes]:
    """Trees whose nodes have a number in their tree, and the votes of the classes or targets."""
    trees, own = (np.array(attributes.get(f"nodes_{name}") or [], np.intp) for name in ("treeids", "nodeids"))
    places = {name: place for place, name in enumerate(zip(trees.tolist(), own.tolist(), strict=True))}
    modes = np.array(attributes.get("nodes_modes") or [], np.str_)
    is_leaf = modes == LEAF

    def children(name: str) -> Places:
        numbers = attributes.get(f"nodes_{name}nodeids") or []
        keys = zip(trees.tolist(), numbers, is_leaf.tolist(), strict=True)
        return np.array(
            [place if leaf else places[tree, number] for place, (tree, number, leaf) in enumerate(keys)],
            np.intp,
        )

    if_true, if_false = children("true"), children("false")
    below = np.zeros(len(modes), bool)
    below[if_true[~is_leaf]] = below[if_false[~is_leaf]] = True
    tops = np.flatnonzero(~below)
    _, first = np.unique(trees[tops], return_index=True)
    splits = _numbers(attributes, "nodes_values")
    features = np.array(attributes.get("nodes_featureids") or [], np.intp)
    missing = np.array(attributes.get("nodes_missing_value_tracks_true") or [0] * len(modes), bool)
    _check_modes(modes)
    forest = Forest(modes, features, splits, if_true, if_false, missing, tops[first], {})
    voters = zip(
        attributes.get(f"{kind}_treeids") or [], attributes.get(f"{kind}_nodeids") or [], strict=True
    )
    leaves = np.array([places[voter] for voter in voters], np.intp)
    targets = attributes.get(f"{kind}_ids") or []
    return forest, votes_of(len(modes), leaves, targets, _numbers(attributes, f"{kind}_weights"))


def _from_places(attributes: Mapping[str, Any]) -> tuple[Forest, Votes]:
    """Trees whose branches name the place of a node, or of a leaf, which are put behind the nodes."""
    kinds = np.ravel(attributes["nodes_modes"]).astype(np.intp)
    weights = np.ravel(attributes["leaf_weights"])
    inner, leaves = len(kinds), len(weights)
    modes = np.concatenate([np.array(MODES, np.str_)[kinds], np.full(leaves, LEAF)])
    own = np.arange(inner, inner + leaves)

    def children(name: str) -> Places:
        to_leaf = np.array(attributes[f"nodes_{name}leafs"], bool)
        return np.concatenate([np.array(attributes[f"nodes_{name}nodeids"], np.intp) + inner * to_leaf, own])

    nothing = np.zeros(leaves)
    features = np.concatenate([np.array(attributes["nodes_featureids"], np.intp), nothing.astype(np.intp)])
    splits = np.concatenate([np.ravel(attributes["nodes_splits"]).astype(np.float64), nothing])
    missing = np.concatenate(
        [attributes.get("nodes_missing_value_tracks_true") or [0] * inner, nothing]
    ).astype(bool)
    roots = np.array(attributes["tree_roots"], np.intp)
    members = _members(attributes, np.flatnonzero(modes == MEMBER))
    forest = Forest(modes, features, splits, children("true"), children("false"), missing, roots, members)
    return forest, votes_of(len(modes), own, attributes["leaf_targetids"], weights)


def _members(attributes: Mapping[str, Any], nodes: Places) -> dict[int, Doubles]:
    """The sets, in the order in which the nodes appear; a NaN ends each, that of the last may be left out."""
    values = np.ravel(attributes.get("membership_values", np.zeros(0))).astype(np.float64)
    sets = [part[~np.isnan(part)] for part in np.split(values, np.flatnonzero(np.isnan(values)) + 1)]
    if sets and not sets[-1].size:
        sets.pop()
    if len(sets) != len(nodes):
        message = f"expected membership_values for {len(nodes)} nodes of BRANCH_MEMBER (got {len(sets)} sets)"
        raise ValueError(message)
    return dict(zip(nodes.tolist(), sets, strict=True))


def _numbers(attributes: Mapping[str, Any], name: str) -> Doubles:
    """A list of float32, or the tensor of float64 that may stand in its place."""
    tensor = attributes.get(f"{name}_as_tensor")
    given = np.array(attributes.get(name) or [], np.float32) if tensor is None else np.ravel(tensor)
    return given.astype(np.float64)


def _check_modes(modes: Array) -> None:
    if unknown := set(modes.tolist()) - {*MODES, LEAF} or {MEMBER} & set(modes.tolist()):
        message = (
            f"expected nodes_modes of {', '.join(MODES[:-1])} or {LEAF} (got {', '.join(sorted(unknown))})"
        )
        raise ValueError(message)


def _check_aggregate(how: str) -> None:
    if how not in _AGGREGATES:
        message = f"expected an aggregate_function of {', '.join(_AGGREGATES)} (got {how!r})"
        raise ValueError(message)
