"""What attention is made of: products, a softmax with or without a sink, and what masks need, at every opset."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx

from ..builder.graph import Graph
from ..builder.steps import clip, reduce, slice_axis
from .attention_arguments import Layout


def add_parts(
    graph: Graph,
    layout: Layout,
    query: str,
    key: str,
    value: str,
    mask: str | None = None,
    *,
    sink: str | None = None,
) -> str:
    """Add what Attention is made of, and a sink (H,) where there is one."""
    heads, kv_heads = layout.heads, layout.kv_heads
    if layout.folded:
        query = _unfold(graph, query, heads, layout.head_size, "query")
        key = _unfold(graph, key, kv_heads, layout.head_size, "key")
        value = _unfold(graph, value, kv_heads, layout.value_size, "value")
    query = graph.node("Mul", query, graph.number("scale", layout.factor), name="scaled_query")
    # The heads of queries that share a head of keys become one matrix of more rows, and heads again.
    grouped = heads != kv_heads
    if grouped:
        query = _reshape(graph, query, [0, kv_heads, -1, layout.head_size], "grouped_query")
    transposed = graph.node("Transpose", key, name="transposed_key", perm=[0, 1, 3, 2])
    scores = graph.node("MatMul", query, transposed, name="scores")
    if grouped:
        scores = _reshape(graph, scores, [0, heads, -1, 0], "scores_by_head")
    if layout.softcap is not None:
        cap = graph.number("softcap", layout.softcap)
        bounded = graph.node("Tanh", graph.node("Div", scores, cap, name="scores_by_softcap"))
        scores = graph.node("Mul", bounded, cap, name="capped_scores")
    bias = _bias(graph, layout, scores, mask)
    if bias is not None:
        scores = graph.node("Add", scores, bias, name="biased_scores")
    if sink is not None:
        scores = _with_sink(graph, layout, scores, sink)
    chances = graph.node("Softmax", scores, name="probabilities", axis=3)
    if sink is not None:
        chances = slice_axis(graph, chances, 3, 0, -1, name="probabilities_of_keys")
    if grouped:
        chances = _reshape(graph, chances, [0, kv_heads, -1, 0], "grouped_probabilities")
    result = graph.node("MatMul", chances, value, name="mixed_values")
    if grouped:
        result = _reshape(graph, result, [0, heads, -1, layout.value_size], "values_by_head")
    if bias is not None and mask is not None:  # the causal rule alone leaves every query its first key
        result = _zero_where_nothing_is_left(graph, result, bias, max(2, len(layout.mask_shape)))
    if layout.folded:
        result = graph.node("Transpose", result, name="output_by_query", perm=[0, 2, 1, 3])
        result = _reshape(graph, result, [0, 0, heads * layout.value_size], "folded_output")
    return result


def _with_sink(graph: Graph, layout: Layout, scores: str, sink: str) -> str:
    """Return the scores with the sink of each head as a last column."""
    sink = _reshape(graph, sink, [layout.heads, 1, 1], "sink_by_head")
    first = slice_axis(graph, scores, 3, 0, 1, name="first_scores")
    if graph.opset < 8:  # which brought Expand: nothing is less than itself
        zeros = graph.cast(graph.node("Less", first, first, name="nowhere"), graph.compute)
        column = graph.node("Add", zeros, sink, name="sink_column")
    else:
        column = graph.node("Expand", sink, graph.node("Shape", first, name="sink_shape"), name="sink_column")
    return graph.node("Concat", scores, column, name="scores_and_sink", axis=3)


def _bias(graph: Graph, layout: Layout, scores: str, mask: str | None) -> str | None:
    """Return what is added to the scores, of rank 2 or more; None for nothing."""
    if mask is not None and len(layout.mask_shape) == 1:
        mask = _reshape(graph, mask, [1, -1], "mask_row")
    future = _future(graph, layout, scores) if layout.causal else None
    if mask is not None and layout.mask == "additive":
        if graph.opset < 9:
            mask = clip(graph, mask, _lowest(graph), float(np.finfo(graph.compute).max), name="finite_mask")
        return mask if future is None else graph.node("Add", mask, _additive(graph, future), name="bias")
    excluded = future
    if mask is not None:
        excluded = graph.node("Not", mask, name="masked")
        if future is not None:
            excluded = graph.node("Or", excluded, future, name="excluded")
    return None if excluded is None else _additive(graph, excluded)


def _future(graph: Graph, layout: Layout, scores: str) -> str:
    """Return where a key comes after the query, (S, T)."""
    if graph.opset < 9:
        assert isinstance(layout.queries, int)  # see read_layout
        assert isinstance(layout.keys, int)
        return graph.constant("future", np.arange(layout.keys) > np.arange(layout.queries)[:, None])
    shape = graph.node("Shape", scores, name="scores_shape")
    row = _counted(graph, slice_axis(graph, shape, 0, 2, 3, name="queries_length"), "query")
    column = _counted(graph, slice_axis(graph, shape, 0, 3, 4, name="keys_length"), "key")
    row = graph.node("Transpose", row, name="query_column", perm=[1, 0])
    return graph.node("Less", row, column, name="future")


def _counted(graph: Graph, length: str, name: str) -> str:
    """Return 0 … length−1 as a row; Range came with opset 11 only."""
    one = onnx.numpy_helper.from_array(np.ones(1, np.int64))
    ones = graph.node("ConstantOfShape", length, name=f"{name}_ones", value=one)
    return graph.node("NonZero", ones, name=f"{name}_index")


def _additive(graph: Graph, excluded: str) -> str:
    """Return −inf where something is excluded, and 0 elsewhere."""
    if graph.opset < 9:
        lowest = graph.number("lowest", _lowest(graph))
        return graph.node("Mul", graph.cast(excluded, graph.compute), lowest, name="excluding")
    zero, infinity = graph.number("zero", 0), graph.number("minus_infinity", -math.inf)
    return graph.node("Where", excluded, infinity, zero, name="excluding")


def _zero_where_nothing_is_left(graph: Graph, result: str, bias: str, rank: int) -> str:
    """Return the values with 0 in the rows that the bias rules out entirely, whatever is there."""
    best = reduce(graph, "ReduceMax", bias, [rank - 1], name="best_bias")
    if graph.opset < 9:
        some = graph.node("Greater", best, graph.number("almost_lowest", _lowest(graph) / 2), name="some_key")
        return graph.node("Mul", result, graph.cast(some, graph.compute), name="guarded_values")
    # Less than every finite number: Equal compares no floats before opset 11.
    least = graph.number("least", np.finfo(graph.compute).min)
    empty = graph.node("Less", best, least, name="no_key")
    return graph.node("Where", empty, graph.number("nothing", 0), result, name="guarded_values")


def _lowest(graph: Graph) -> float:
    """What stands for −inf where that must not meet 0: sums with scores stay finite, exponentials are 0."""
    return float(np.finfo(graph.compute).min) / 4


def _unfold(graph: Graph, x: str, heads: int, size: int, name: str) -> str:
    parted = _reshape(graph, x, [0, 0, heads, size], f"parted_{name}")
    return graph.node("Transpose", parted, name=f"{name}_by_head", perm=[0, 2, 1, 3])


def _reshape(graph: Graph, x: str, shape: Sequence[int], name: str) -> str:
    return graph.node("Reshape", x, integers(graph, f"{name}_shape", shape), name=name)


def integers(graph: Graph, name: str, values: Sequence[int]) -> str:
    """Add a constant of int64."""
    return graph.constant(name, np.array(values, np.int64))
