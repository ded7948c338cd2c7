"""Whether a converted model still computes the same, as onnxruntime runs it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.conformance.errors import ModelNotRunError
from softops.conformance.models.batch import made_up_inputs
from softops.conformance.models.inputs import made_up, prepare_inputs
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.steps.graph import ModelGraph
from softops.conformance.steps.source import open_source

from .inputs import inputs_of

CLOSE = 1e-4
"""A difference of float32 by rounding, of the largest magnitude in an output: nodes may be put together otherwise."""

_LENGTHS = (16, 64, 224, 1)
"""What open axes are tried with, before what `softops validate` finds."""


def sameness(path: Path, converted: Path) -> tuple[str, str]:
    """
    Say whether a converted model gives what it gave, in onnxruntime without its rewriting of graphs.

    ``same bits``, ``same but for rounding``, ``other values``, or ``not compared`` where
    onnxruntime does not run the model as it was, or ``not run`` where it does not run the converted one; and what was
    found.
    """
    try:
        feeds, before = _first_that_runs(path)
    except ModelNotRunError as error:
        return "not compared", f"the model as it was: {error}"
    try:
        after = _run(converted, feeds)
    except ModelNotRunError as error:
        return "not run", f"converted: {error}"
    names = [value.name for value in open_source(path).model.graph.output]
    if all(map(_same_bits, before, after)):
        return "same bits", ""
    far = [_apart(left, right) for left, right in zip(before, after, strict=True)]
    worst = int(np.argmax(far))
    said = f"{names[worst]}: {far[worst]:.2g} of its largest magnitude apart"
    return ("same but for rounding", said) if far[worst] <= CLOSE else ("other values", said)


def _first_that_runs(path: Path) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
    given, model = inputs_of(path), open_source(path).model
    if given is not None:
        feeds = prepare_inputs(model, given)
        return feeds, _run(path, feeds)
    for length in _LENGTHS:
        feeds = made_up(model, batch=2, length=length)
        with contextlib.suppress(ModelNotRunError):
            return feeds, _run(path, feeds)
    feeds = made_up_inputs(ModelGraph(open_source(path))).feeds
    return feeds, _run(path, feeds)


def _run(path: Path, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    source = open_source(path)
    content = source.model.SerializeToString()
    return list(load(get_runtime("onnxruntime:level=disabled"), content, source.folder)(feeds))


def _apart(left: NDArray[Any], right: NDArray[Any]) -> float:
    """The largest difference by the largest magnitude; infinite where that says nothing."""
    if left.shape != right.shape or left.dtype != right.dtype or not _is_float(left):
        return 0.0 if np.array_equal(left, right) else np.inf
    with np.errstate(all="ignore"):
        differences = np.abs(left.astype(np.float64) - right)[
            ~((left == right) | (np.isnan(left) & np.isnan(right)))
        ]
        largest = np.abs(left.astype(np.float64)).max(initial=0.0, where=np.isfinite(left))
    if not np.isfinite(differences).all():
        return np.inf
    return float(differences.max(initial=0.0) / largest) if largest else float(differences.max(initial=0.0))


def _same_bits(left: NDArray[Any], right: NDArray[Any]) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return np.array_equal(left, right) if left.dtype.kind in "OU" else left.tobytes() == right.tobytes()


def _is_float(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "f"
