"""Which outputs of a model are its answers: labels, and the scores of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from ..measure.ulp import is_float
from ..steps.graph import ModelGraph

Arrays = Mapping[str, NDArray[Any]]

_SUMS_NEAR = 1e-2
_PREFERRED = ("probability", "logarithm", "single", "logit")
_PASSED_ON = ("Identity", "Cast", "Squeeze", "Reshape", "Flatten", "Unsqueeze")


class Answer(NamedTuple):
    """The labels of some rows, (N,); what decides between the classes and their probabilities, (N, C), or None."""

    labels: NDArray[Any]
    scores: NDArray[Any] | None
    probabilities: NDArray[Any] | None


class Reader:
    """
    Reads the answers from the outputs of a model of N rows; ValueError where no output is one.

    The label is the first output of integers or strings, one for each row; without one it is the number of the
    largest score. The scores are the outcome of a Softmax if there is one, else the first output of (N, C) floats:
    probabilities where they lie in [0, 1] and sum to 1 within 1e-2 (or their exponentials do). A single
    probability in [0, 1] of the outcome of a Sigmoid stands for two classes. ``classes`` has the label of each column,
    (C,), where the model tells. It can be sent to another process.
    """

    def __init__(self, graph: ModelGraph, outputs: Arrays, rows: int) -> None:
        self._label = next((name for name in graph.compared if _is_label(outputs[name], rows)), None)
        self._score, self._kind = _scored(graph, outputs, rows)
        if self._label is None and self._score is None:
            message = (
                "expected an output of labels, one a row, or of scores, rows by classes "
                f"(got {', '.join(f'{name} {list(outputs[name].shape)}' for name in graph.compared) or 'none'}); "
                "validate it without a dataset"
            )
            raise ValueError(message)
        self.classes = self._classes(graph, self.read(outputs, rows))

    def read(self, outputs: Arrays, rows: int) -> Answer:
        """Return the answers."""
        scores = probabilities = None
        if self._score is not None:
            scores = outputs[self._score].astype(np.float64)
            if self._kind == "single":
                one = scores.reshape(rows, 1)
                scores = np.hstack([1 - one, one])
            probabilities = {"logarithm": np.exp(scores), "logit": None}.get(self._kind, scores)
        if self._label is not None:
            return Answer(outputs[self._label].reshape(rows), scores, probabilities)
        assert scores is not None
        return Answer(scores.argmax(-1), scores, probabilities)

    def _classes(self, graph: ModelGraph, answer: Answer) -> NDArray[Any] | None:
        if answer.scores is None:
            return None
        columns = np.arange(answer.scores.shape[1])
        named = None if self._label is None else _named(graph, self._label)
        if named is not None and named.shape == columns.shape:
            return named
        numbers = answer.labels.dtype.kind in "iu"
        return columns if numbers and np.array_equal(answer.labels, answer.scores.argmax(-1)) else None


def _scored(graph: ModelGraph, outputs: Arrays, rows: int) -> tuple[str | None, str]:
    found: dict[str, str] = {}
    for name in graph.compared:
        array = outputs[name]
        if not is_float(array.dtype) or not array.ndim or len(array) != rows:
            continue
        family = graph.family_node(name)
        made_by = "" if family is None else family.operator.op_type
        if array.ndim == 2 and array.shape[1] > 1:
            found[name] = _kind(array.astype(np.float64))
            if made_by == "Softmax":
                return name, "probability"
        elif array.size == rows and made_by == "Sigmoid":
            found[name] = "single"
    best = min(found, key=lambda name: _PREFERRED.index(found[name]), default=None)
    return best, "" if best is None else found[best]


def _named(graph: ModelGraph, tensor: str) -> NDArray[Any] | None:
    """Return the constant that the label is taken from."""
    node = graph.producers.get(tensor)
    while node is not None and node.op_type in _PASSED_ON:
        node = graph.producers.get(node.input[0])
    if node is None:
        return None
    if node.op_type == "Gather":
        return graph.constant(node.input[0])
    given = attributes_of(node)
    names = ("classlabels_strings", "classlabels_int64s", "classlabels_ints", "values_strings")
    return next((np.array(given[name]) for name in names if given.get(name)), None)


def _is_label(array: NDArray[Any], rows: int) -> bool:
    return array.size == rows and array.ndim > 0 and len(array) == rows and array.dtype.kind in "iuOSUT"


def _kind(scores: NDArray[np.float64]) -> str:
    with np.errstate(all="ignore"):
        for kind, p in (("probability", scores), ("logarithm", np.exp(scores))):
            rows = p[~np.isnan(p).any(-1)]
            near = np.abs(rows.sum(-1) - 1) <= _SUMS_NEAR
            if len(rows) and rows.min() >= 0 and near.all():
                return kind
    return "logit"
