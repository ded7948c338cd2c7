"""What stands in front of a classifier: columns, scalers, imputers of ours, and what skl2onnx converts, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..bridges.conversion import Block, Bridge
from ..builder.graph import Graph
from ..errors import NotReadError
from .sklearn_imputer import read_imputer
from .sklearn_parts import active_steps, check_fitted, is_step, kind_of
from .sklearn_scalers import read_scaler

FLOAT64 = np.dtype(np.float64)


def add_front(graph: Graph, steps: Sequence[Any], blocks: list[Block], bridge: Bridge) -> list[Block]:
    """
    Add transformers one after another and return what they give.

    Numbers are float64 inside whatever the model takes: a classifier of trees or of neighbours answers otherwise
    where a column differs in its last place from what it was fitted on.

    Parameters
    ----------
    graph
        The graph so far.
    steps
        The fitted transformers.
    blocks
        What the first of them takes: one matrix, or a block for each column.
    bridge
        Converts what is not ours.
    """
    for step in steps:
        blocks = _add(graph, step, blocks, bridge)
    return blocks


def joined(graph: Graph, blocks: Sequence[Block], dtype: np.dtype[Any] = FLOAT64) -> Block:
    """Return one matrix of numbers of several."""
    tensors = [as_numbers(graph, block, dtype).tensor for block in blocks]
    widths = [block.width for block in blocks]
    width = None if None in widths else sum(w for w in widths if w is not None)
    if len(tensors) == 1:
        return Block(tensors[0], width, dtype)
    return Block(graph.node("Concat", *tensors, name="joined", axis=1), width, dtype)


def as_numbers(graph: Graph, block: Block, dtype: np.dtype[Any]) -> Block:
    """Return a block in a dtype of floats."""
    if block.dtype == object:
        message = (
            "expected numbers where an estimator computes (got a column of strings); put a OneHotEncoder or "
            "OrdinalEncoder in front of it"
        )
        raise TypeError(message)
    return (
        block if block.dtype == dtype else replace(block, tensor=graph.cast(block.tensor, dtype), dtype=dtype)
    )


def _add(graph: Graph, step: Any, blocks: list[Block], bridge: Bridge) -> list[Block]:
    if not is_step(step) or getattr(step, "func", step) is None:  # a FunctionTransformer that does nothing
        return blocks
    if hasattr(step, "steps"):
        return add_front(graph, active_steps(step), blocks, bridge)
    check_fitted(step)
    if hasattr(step, "transformers_"):
        return _add_columns(graph, step, blocks, bridge)
    if hasattr(step, "transformer_list"):
        parts = [(name, part, None) for name, part in step.transformer_list if part != "drop"]
        return _add_each(graph, step, parts, blocks, bridge)
    for read in (read_scaler, read_imputer):
        try:
            own = read(step)
        except NotReadError:
            continue
        if graph.opset >= own.opset:
            x = joined(graph, blocks)
            return [Block(own.add(graph, x.tensor, True), own.gives or x.width, FLOAT64)]
    found = bridge.convert(graph, step, _given(graph, step, blocks), wide=True)[:1]
    return [as_numbers(graph, b, FLOAT64) if b.dtype.kind in "fiub" else b for b in found]


def _given(graph: Graph, step: Any, blocks: list[Block]) -> list[Block]:
    """Return what a converter takes: one matrix where the columns are of one kind, else the columns."""
    width = getattr(step, "n_features_in_", None)
    if len(blocks) == 1:
        return [replace(blocks[0], width=blocks[0].width or width)]
    kinds = {block.dtype for block in blocks}
    if kinds == {np.dtype(object)}:
        tensor = graph.node("Concat", *(b.tensor for b in blocks), name="strings", axis=1)
        return [Block(tensor, len(blocks), np.dtype(object))]
    if len(kinds) == 1 or np.dtype(object) not in kinds:
        whole = len(kinds) == 1 and kinds <= {np.dtype(np.int64)}
        one = joined(graph, blocks, np.dtype(np.int64) if whole else FLOAT64)
        return [replace(one, width=one.width or width)]
    return blocks


def _add_columns(graph: Graph, step: Any, blocks: list[Block], bridge: Bridge) -> list[Block]:
    """Add a ColumnTransformer: each of its transformers, on the columns that it chose at fit."""
    indices = step._transformer_to_input_indices
    parts = [(name, part, list(indices[name])) for name, part, _ in step.transformers_ if part != "drop"]
    return _add_each(graph, step, [part for part in parts if part[2]], blocks, bridge)


def _add_each(
    graph: Graph,
    step: Any,
    parts: Sequence[tuple[str, Any, list[int] | None]],
    blocks: list[Block],
    bridge: Bridge,
) -> list[Block]:
    weights = getattr(step, "transformer_weights", None) or {}
    found = []
    for name, part, indices in parts:
        chosen = blocks if indices is None else _chosen(graph, blocks, indices)
        made = joined(graph, _add(graph, part, chosen, bridge))
        if name in weights:
            weight = graph.constant("weight", np.asarray(weights[name], FLOAT64))
            made = replace(made, tensor=graph.node("Mul", made.tensor, weight, name="weighted"))
        found.append(made)
    if not found:
        message = f"expected {kind_of(step)} to give columns (got one that drops them all); fit it with some"
        raise ValueError(message)
    return [joined(graph, found)]


def _chosen(graph: Graph, blocks: list[Block], indices: list[int]) -> list[Block]:
    if len(blocks) > 1 and all(block.width == 1 for block in blocks):
        return [blocks[at] for at in indices]
    matrix = blocks[0] if len(blocks) == 1 else joined(graph, blocks)
    if indices == list(range(matrix.width or 0)):
        return [matrix]
    at = graph.constant("columns", np.array(indices, np.int64))
    return [Block(graph.node("Gather", matrix.tensor, at, name="chosen", axis=1), len(indices), matrix.dtype)]
