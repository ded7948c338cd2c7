"""A whole model with noise."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from ..graph.domains import opset_versions
from ..graph.functions import functions_by_key
from ..nodes.node import Value
from .interpreter import Interpreter, Observer, Scope, constants_of


def run_noisy(
    model: onnx.ModelProto,
    feeds: Mapping[str, Any],
    observe: Observer,
    *,
    samples: int,
    seed: int,
    dtype: np.dtype[Any] | None = None,
    free: bool = False,
    dtypes: Mapping[str, np.dtype[Any]] | None = None,
    constants: Mapping[str, Callable[[], Value]] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> set[str]:
    """
    Run a model in float64, and in samples with the noise of a right runtime at each node.

    Parameters
    ----------
    feeds
        Its inputs by name.
    observe
        Told of every tensor of the main graph, in order: its name, its maker in words, and a `Noisy`.
    samples, seed
        How many samples, and what the noise is drawn by.
    dtype
        What all floats are held in; None: what the model says.
    free
        Whether each sample takes decisions of its own, such as quantised values, rather than those of the exact run.
    dtypes
        Of the model's tensors, as far as they are known.
    constants
        What gives the values of initializers that are not in the model but in files.
    watch
        Called after each node with how many are done, of how many.

    Returns
    -------
    set
        The operators of the model that have no rule of their own.
    """
    interpreter = Interpreter(samples, seed, dtype, free=free)
    held = {**constants_of(model.graph), **(constants or {})}
    names = ChainMap({name: interpreter.value(np.asarray(value)) for name, value in feeds.items()})
    scope = Scope(
        {"": 1, **opset_versions(model.opset_import)}, functions_by_key(model.functions), dtypes or {}
    )
    left = {name: value for name, value in held.items() if name not in feeds}
    handed_on = [output.name for output in model.graph.output if output.name in feeds]
    interpreter.nodes(model.graph.node, names, scope, handed_on, left, observe, watch)
    for output in model.graph.output:
        if output.name in left:
            observe(output.name, "constant", interpreter.value(left[output.name]()))
        elif output.name in feeds:
            observe(output.name, "input", names[output.name])
    return interpreter.without_rule
