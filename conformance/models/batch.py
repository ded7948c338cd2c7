"""How many rows inputs are made up with: as many as the time and the memory of a first row allow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import onnx

from softops.opset import ModelError
from softops.opset.backend import prepare
from softops.opset.backend.plan import Watch
from softops.opset.graph.types import dimension_of

from ..runtimes.loading import model_inputs
from ..steps.graph import Arrays, ModelGraph
from ..steps.runs import MadeBytes
from .inputs import OTHER_AXES, Shapes, made_up

BATCH_MAX = 256
"""More rows are not made up unless they are asked for."""

_ROWS_UNTRIED = 8
"""So many rows where our backend cannot tell what one takes."""

_SECONDS = 1.0
"""A run of our backend shall take no longer, and ..."""

_BYTES = 2**26
"""... its nodes make no more than this, where fewer rows can help it; with noise it is some ten times as much."""

_SHORT = 0.02
"""A first row that takes no longer says nothing of time: most of it is what a call takes."""

_LENGTHS = (OTHER_AXES, 64, 224, 1)
"""What other open axes are tried with, one after the other: not every network takes any length."""


class Made(NamedTuple):
    """Inputs that were made up, and a sentence on how many rows there are, where that was chosen."""

    feeds: Arrays
    note: str = ""


def made_up_inputs(
    graph: ModelGraph,
    *,
    seed: int = 0,
    batch: int | None = None,
    shapes: Shapes | None = None,
    watch: Watch | None = None,
) -> Made:
    """
    Make up inputs for a model.

    Parameters
    ----------
    batch
        Rows, where the model leaves the number open; by default as many as a first row says can be had in one second
        and 64 MiB, and at most 256; 8 where softops cannot run one.
    shapes
        Shapes of inputs, by name.
    watch
        Told of the progress of a first row.

    ValueError: an input cannot be made up.
    """
    model, given = graph.source.model, {} if shapes is None else shapes
    if batch is not None:
        return Made(made_up(model, seed=seed, batch=batch, shapes=given))
    if graph.source.folder is not None:
        return Made(made_up(model, seed=seed, batch=2, shapes=given), "2 rows, since the model is large")
    open_rows = any(_is_open(value, given) for value in model_inputs(model))
    made = made_up(model, seed=seed, batch=1, shapes=given)
    others = made_up(model, seed=seed, batch=1, shapes=given, length=OTHER_AXES + 1)
    if not open_rows and all(made[name].shape == others[name].shape for name in made):
        return Made(made)
    first = _first_row(graph, _tried(model, seed, given), watch)
    if first is None:
        return Made(made_up(model, seed=seed, batch=_ROWS_UNTRIED if open_rows else 1, shapes=given))
    length, seconds, size = first
    if not open_rows:
        return Made(made_up(model, seed=seed, batch=1, shapes=given, length=length))
    by_time = BATCH_MAX if seconds <= _SHORT else _SECONDS / seconds
    rows = int(min(BATCH_MAX, by_time, _BYTES / max(size, 1)))
    # One row says nothing of how rows go together.
    rows = max(rows, 2 if seconds < 2 * _SECONDS and size < 2 * _BYTES else 1)
    note = (
        ""
        if rows == BATCH_MAX
        else (
            f"a batch of {rows} was chosen: one row takes softops {seconds:.2g} s and {size / 2**20:.3g} MiB; "
            "--batch sets another"
        )
    )
    return Made(made_up(model, seed=seed, batch=rows, shapes=given, length=length), note)


def rows_at_a_time(graph: ModelGraph) -> int:
    """Return how many rows of a set are run at a time: as many as would be made up, `BATCH_MAX` where none can be."""
    rows = [value.name for value in model_inputs(graph.source.model) if _is_open(value, {})]
    try:
        feeds = made_up_inputs(graph).feeds
    except ValueError:  # of strings, say
        return BATCH_MAX
    return min((len(feeds[name]) for name in rows), default=BATCH_MAX)


def _is_open(value: onnx.ValueInfoProto, shapes: Mapping[str, Sequence[int]]) -> bool:
    dims = value.type.tensor_type.shape.dim
    return value.name not in shapes and len(dims) > 0 and not isinstance(dimension_of(dims[0]), int)


def _tried(model: onnx.ModelProto, seed: int, shapes: Shapes) -> Iterator[tuple[int, Arrays]]:
    before = None
    for length in _LENGTHS:
        feeds = made_up(model, seed=seed, batch=1, shapes=shapes, length=length)
        form = {name: array.shape for name, array in feeds.items()}
        if form != before:
            yield length, feeds
        before = form


def _first_row(
    graph: ModelGraph, tried: Iterator[tuple[int, Arrays]], watch: Watch | None
) -> tuple[int, float, int] | None:
    """Run a row; return the length of open axes that it ran with, its seconds, and how many bytes its nodes made."""
    try:
        prepared = prepare(graph.source.model, fuse=False)
    except (ModelError, LookupError):
        return None
    for length, feeds in tried:
        made = MadeBytes(watch)
        try:
            seconds = float("inf")
            for _ in range(3):  # the first run may have to compile kernels
                made.count = 0
                start = time.perf_counter()
                prepared.run(feeds, watch=made)
                seconds = min(seconds, time.perf_counter() - start)
                if not _SHORT < seconds < _SECONDS:
                    break
        except (ValueError, TypeError, MemoryError):
            continue
        return length, seconds, made.count
    return None
