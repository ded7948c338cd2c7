"""What the caller of a classifier head asks for: labels, outputs, the k best, a threshold; read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import check_fraction, check_labels
from .counts import check_top_k
from .options import RESERVED, Options, check_known

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
