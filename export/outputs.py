"""What a classifier gives back: label, scores and the k best classes, chosen by the caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from .arguments import check_fraction, check_labels
from .counts import check_top_k
from .graph import ML, Graph
from .options import RESERVED, Options, check_known
from .steps import reduce, top_k, where

LABELS_KEY = f"{RESERVED}labels"
"""Key of the model's metadata that holds the class names: a JSON list, in the order of the classes."""

THRESHOLD_KEY = f"{RESERVED}threshold"
"""Key of the model's metadata that holds the probability below which a head gives no label."""

TOP_K = ("top_k_values", "top_k_indices", "top_k_labels")


class HeadOptions(Options, total=False):
    """
    Options of the heads that name one class of several, beside `Options`.

    Attributes
    ----------
    labels
        C different strings or integers; 0 … C−1 by default, or what the estimator was fitted on. They are
        also kept in the model's metadata, under ``softops.labels``, as a JSON list.
    outputs
        Which outputs, in which order: ``label``, ``probabilities``, ``log_probabilities``, ``logits`` …,
        ``top_k`` (all three of ``top_k_values``, ``top_k_indices``, ``top_k_labels``, or each by its name).
        By default the label, the scores of the activation, and those of ``top_k`` where it is given.
    top_k
        How many of the best classes ``top_k`` gives.
    threshold
        Probability that the best class has to reach; below it, and where it is NaN, the label is
        ``abstain_label``. The scores stay as they are.
    abstain_label
        −1 or an empty string by default, as the labels are integers or strings.
    zipmap
        Give the scores as a sequence of maps from label to float (ai.onnx.ml ``ZipMap``, float32 only)
        instead of a tensor: few runtimes take it, and it is slow.
    """

    labels: Sequence[str] | Sequence[int] | NDArray[Any] | None
    outputs: Sequence[str] | None
    top_k: int | None
    threshold: float | None
    abstain_label: str | int | None
    zipmap: bool


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The head options after their checks."""

    labels: NDArray[Any] | None
    outputs: tuple[str, ...]
    top_k: int | None
    threshold: float | None
    abstain_label: str | int | None
    zipmap: bool

    def metadata(self) -> dict[str, str]:
        """Return what the model's metadata says about the labels."""
        entries = {}
        if self.labels is not None:
            entries[LABELS_KEY] = json.dumps(self.labels.tolist(), ensure_ascii=False)
        if self.threshold is not None:
            entries[THRESHOLD_KEY] = json.dumps(self.threshold)
        return entries


def split_options(options: HeadOptions) -> tuple[HeadOptions, Options]:
    """Return the options of the head and those that every export function takes."""
    check_known(options, HeadOptions)
    own = HeadOptions.__annotations__.keys() - Options.__annotations__.keys()
    head = {name: value for name, value in options.items() if name in own}
    common = {name: value for name, value in options.items() if name not in own}
    return HeadOptions(**head), Options(**common)  # type: ignore[typeddict-item]


def read_choice(options: HeadOptions, *, classes: int, scores: Sequence[str]) -> Choice:
    """
    Return the head options checked.

    Parameters
    ----------
    options
        As the caller gave them.
    classes
        Number of classes.
    scores
        Names of the scores the head has; the first is given by default.
    """
    labels = check_labels(options.get("labels"), classes)
    k = options.get("top_k")
    chosen = options.get("outputs")
    if k is not None:
        k = check_top_k(k, classes)
    if chosen is None:
        chosen = ("label", scores[0], *(TOP_K if k is not None else ()))
    outputs = _check_outputs(chosen, ("label", *scores), k)
    threshold = options.get("threshold")
    if threshold is not None:
        threshold = check_fraction("threshold", threshold)
        if "probabilities" not in scores:
            message = "expected no threshold for a head without probabilities; leave it out"
            raise ValueError(message)
    zipmap = bool(options.get("zipmap", False))
    if zipmap and scores[0] not in outputs:
        message = f"expected the output {scores[0]} for zipmap (got {', '.join(outputs)}); add it"
        raise ValueError(message)
    return Choice(
        labels=labels,
        outputs=outputs,
        top_k=k,
        threshold=threshold,
        abstain_label=_abstain_label(options.get("abstain_label"), labels, classes, threshold),
        zipmap=zipmap,
    )


def add_outputs(
    graph: Graph,
    choice: Choice,
    scores: Mapping[str, Callable[[], str]],
    ranking: Callable[[], str],
    *,
    classes: int,
    index: Callable[[], str] | None = None,
    widths: Mapping[str, int] | None = None,
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
            dtype = {"top_k_values": None, "top_k_indices": np.int64}.get(name, label_dtype(choice.labels))
            graph.output(name, best[name], [batch, choice.top_k], dtype)
        elif name == default and choice.zipmap:
            _add_zipmap(graph, choice, name, score(name), classes)
        else:
            width = widths.get(name, classes)
            graph.output(name, score(name), [batch, width] if width else [batch])


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


def _check_outputs(chosen: object, names: Iterable[str], k: int | None) -> tuple[str, ...]:
    available = (*names, *TOP_K)
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        message = f"expected outputs as a list of names (got {chosen!r}); pass for instance outputs=['label']"
        raise TypeError(message)
    outputs = [name for entry in chosen for name in (TOP_K if entry == "top_k" else (entry,))]
    if unknown := [name for name in outputs if name not in available]:
        message = (
            f"expected outputs among {', '.join((*names, 'top_k'))} (got {unknown[0]!r}); choose among these"
        )
        raise ValueError(message)
    if not outputs or len(set(outputs)) < len(outputs):
        message = (
            f"expected outputs that are named once, and at least one (got {list(chosen)}); name each once"
        )
        raise ValueError(message)
    if k is None and set(TOP_K) & set(outputs):
        message = "expected the number of best classes for the output top_k; pass for instance top_k=5"
        raise ValueError(message)
    if k is not None and not set(TOP_K) & set(outputs):
        message = f"expected the output top_k where top_k={k} is given (got {', '.join(outputs)}); add it"
        raise ValueError(message)
    return tuple(outputs)


def _abstain_label(
    label: object, labels: NDArray[Any] | None, classes: int, threshold: float | None
) -> str | int | None:
    if threshold is None:
        if label is not None:
            message = f"expected a threshold beside abstain_label={label!r}; pass for instance threshold=0.5"
            raise ValueError(message)
        return None
    known: list[Any] = list(range(classes)) if labels is None else labels.tolist()
    kind = str if isinstance(known[0], str) else int
    if label is None:
        label = kind() if kind is str else -1
    if isinstance(label, np.integer):
        label = int(label)
    if not isinstance(label, kind) or isinstance(label, bool):
        message = f"expected abstain_label of the labels' type, {kind.__name__} (got {label!r}); convert it"
        raise TypeError(message)
    if label in known or (isinstance(label, int) and not -(2**63) <= label < 2**63):
        message = f"expected an abstain_label that no class has, within int64 (got {label!r}); choose another"
        raise ValueError(message)
    return label
