"""What a classifier gives back: label, scores and the k best classes, as the caller chose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from .choice import TOP_K, Choice
from .graph import ML, Graph
from .steps import reduce, top_k, where


def add_outputs(
    graph: Graph,
    choice: Choice,
    scores: Mapping[str, Callable[[], str]],
    ranking: Callable[[], str],
    *,
    classes: int,
    index: Callable[[], str] | None = None,
    widths: Mapping[str, int] | None = None,
    indices: Collection[str] = (),
) -> None:
    """
    Add what the choice asks for, and nothing else.

    Parameters
    ----------
    graph
        The graph so far.
    choice
        The checked options.
    scores
        For each score how it is added to the graph; each is added once, when it is asked for.
    ranking
        How that is added which is larger for better classes, (N, C): label and k best are taken from it.
    classes
        C.
    index
        How the index of the best class is added, int64 (N,); ArgMax of ``ranking`` by default.
    widths
        Number of columns of scores that have not C of them, 0 for a vector (N,).
    indices
        Which of the scores are no floats but int64.
    """
    widths = widths or {}
    made: dict[str, str] = {}

    def score(name: str) -> str:
        if name not in made:
            made[name] = scores[name]()
        return made[name]

    default = next(iter(scores))
    if choice.zipmap and widths.get(default, classes) != classes:
        message = (
            f"expected a score for each class for zipmap (got one for both in {default}); leave zipmap out, or "
            "choose a classifier with probabilities"
        )
        raise ValueError(message)
    batch = graph.settings.batch
    best: dict[str, str] = {}
    for name in scores:
        if name in choice.outputs:
            score(name)
    for name in choice.outputs:
        if name == "label":
            winner = (
                graph.node("ArgMax", ranking(), name="class_index", axis=1, keepdims=0)
                if index is None
                else index()
            )
            if choice.threshold is not None:
                winner = _abstain(graph, choice, score("probabilities"), winner, classes)
            graph.output(name, lookup(graph, choice, winner), [batch], label_dtype(choice.labels))
        elif name in TOP_K:
            if not best:
                ranked = ranking()
                best = _best(
                    graph,
                    choice,
                    ranked,
                    ranked if widths.get(default, classes) < classes else score(default),
                )
            kind = {"top_k_values": None, "top_k_indices": np.int64}.get(name, label_dtype(choice.labels))
            graph.output(name, best[name], [batch, choice.top_k], kind)
        elif name == default and choice.zipmap:
            _add_zipmap(graph, choice, name, score(name), classes)
        else:
            width = widths.get(name, classes)
            dtype = np.int64 if name in indices else None
            graph.output(name, score(name), [batch, width] if width else [batch], dtype)


def lookup(graph: Graph, choice: Choice, index: str, *, name: str = "label") -> str:
    """Return the labels of class indices, which stand for themselves where there are no labels."""
    if choice.labels is None:
        return index
    table = choice.labels
    if choice.threshold is not None:
        table = np.array([*table.tolist(), choice.abstain_label], table.dtype)
    return graph.node("Gather", graph.shared("class_labels", table), index, name=name, axis=0)


def label_dtype(labels: NDArray[Any] | None) -> np.dtype[Any]:
    """Return what labels are in the model: int64, or object for strings."""
    return np.dtype(np.int64) if labels is None else labels.dtype


def _abstain(graph: Graph, choice: Choice, probabilities: str, winner: str, classes: int) -> str:
    """Return the index of the winner, or of the entry after all labels where its probability is too small."""
    assert choice.threshold is not None
    highest = reduce(graph, "ReduceMax", probabilities, [1], keepdims=False, name="highest_probability")
    # Greater than the float before it: at least the threshold. GreaterOrEqual came with opset 12.
    below = np.nextafter(np.asarray(choice.threshold, graph.compute), np.asarray(-1, graph.compute))
    sure = graph.node("Greater", highest, graph.number("below_threshold", below), name="sure")
    nothing = classes if choice.labels is not None else choice.abstain_label
    other = graph.constant("abstain", np.array(nothing, np.int64))
    return where(graph, sure, winner, other, name="class_index")


def _best(graph: Graph, choice: Choice, ranking: str, scores: str) -> dict[str, str]:
    """
    Return the k best classes.

    Their order is that of the ranking, so that the first is the label even where scores round to the same
    number. Scores never fall where the ranking rises: their own k largest, in order, belong to these classes.
    """
    assert choice.top_k is not None
    k = choice.top_k
    ranked, indices = top_k(graph, ranking, k, axis=1, names=["top_k_ranking", "top_k_indices"])
    values = ranked
    if scores != ranking:
        values, _ = top_k(graph, scores, k, axis=1, names=["top_k_values", "top_k_positions"])
    found = lookup(graph, choice, indices, name="top_k_labels")
    return dict(zip(TOP_K, (values, indices, found), strict=True))


def _add_zipmap(graph: Graph, choice: Choice, name: str, scores: str, classes: int) -> None:
    if graph.compute != np.float32:
        message = (
            f"expected float32 for zipmap, which knows no other (got {graph.dtype}); pass dtype='float32'"
        )
        raise ValueError(message)
    labels = np.arange(classes) if choice.labels is None else choice.labels
    strings = labels.dtype == object
    key = {"classlabels_strings" if strings else "classlabels_int64s": labels.tolist()}
    maps = graph.node("ZipMap", scores, name=name, domain=ML, **key)
    number = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    kind = helper.make_map_type_proto(TensorProto.STRING if strings else TensorProto.INT64, number)
    graph.output(name, maps, [], type_proto=helper.make_sequence_type_proto(kind))
