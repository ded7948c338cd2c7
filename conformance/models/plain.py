"""A run of our backend before that with noise, which takes several times as long: it tells how large outputs are."""

from __future__ import annotations

import numpy as np

from softops.opset import ModelError
from softops.opset.backend import prepare
from softops.opset.backend.plan import Watch
from softops.opset.graph.walk import bodies

from ..steps.graph import Arrays, ModelGraph

_BY_VALUES = frozenset(("Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Unique"))
"""What these make is of a shape that hangs on numbers, which rounding may change."""


def plain_run(graph: ModelGraph, feeds: Arrays, watch: Watch | None = None) -> Arrays:
    """Return the outputs that are compared, by name, as our backend makes them; none where it cannot run the model."""
    if graph.source.folder is not None:  # as large as that, it is not read into memory once more
        return {}
    try:
        made = prepare(graph.source.model, fuse=False).run(feeds, watch=watch)
    except (ModelError, LookupError, ValueError, TypeError, MemoryError):
        return {}  # the run with noise says what is wrong
    outputs = zip(graph.outputs, made, strict=True)
    return {
        name: array for name, array in outputs if name in graph.compared and isinstance(array, np.ndarray)
    }


def has_certain_shapes(graph: ModelGraph) -> bool:
    """Tell whether the shapes of outputs are the same in all right runtimes, whatever they round."""
    return _BY_VALUES.isdisjoint(node.op_type for body in bodies(graph.model) for node in body.node)
