"""Scaled dot-product attention: the Attention operator where the opset has it, its parts before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Unpack

import numpy as np
import onnx

from softops.opset.runtimes.releases import minor_release

from ..builder.graph import Graph
from ..builder.options import Options, check_dtype, read_options
from ..builder.steps import clip, reduce, slice_axis
from .attention_arguments import Layout, read_layout

_FIRST_RIGHT = ("onnxruntime", 1, 28)
"""The first onnxruntime whose Attention does what onnx 1.23 says, masks and rules compared in 1.26, 1.27 and 1.28."""


def attention(
    heads: int,
    head_size: int,
    *,
    kv_heads: int | None = None,
    value_size: int | None = None,
    mask: Literal["boolean", "additive"] | None = None,
    mask_axes: Sequence[str | int] = ("queries", "keys"),
    causal: bool = False,
    scale: float | None = None,
    softcap: float | None = None,
    folded: bool = False,
    queries: str | int = "queries",
    keys: str | int = "keys",
    operator: bool | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build scaled dot-product attention as an ONNX model.

    ``output = softmax(scale query keyᵀ + bias) value`` for each head. With N samples, H heads of size D,
    G heads of keys and values (of size E), S queries and T keys the model takes

    - ``query`` (N, H, S, D), ``key`` (N, G, T, D), ``value`` (N, G, T, E), or folded (N, S, H·D),
      (N, T, G·D), (N, T, G·E);
    - ``mask``, where one is asked for, with the axes that ``mask_axes`` names;

    and gives ``output`` (N, H, S, E), or folded (N, S, H·E). A query for which the mask leaves no key has
    an output of 0. There is at least one key.

    Parameters
    ----------
    heads, head_size
        H and D.
    kv_heads
        G, of which H is a multiple: each head of keys and values serves H/G heads of queries in a row. H by
        default.
    value_size
        E; D by default.
    mask
        ``"boolean"``: True where a key takes part; ``"additive"``: added to the scores, −inf rules a key out.
    mask_axes
        The axes of the mask, the last ones of ``("batch", "heads", "queries", "keys")``, with 1 in place of
        those along which it does not differ; ``"keys"`` is always its last. ``("batch", 1, 1, "keys")`` is a
        mask of padding.
    causal
        Query i sees the keys 0 … i only, whatever the numbers of queries and keys.
    scale
        Above 0; 1/√D by default.
    softcap
        Above 0: ``softcap · tanh(scores / softcap)`` before the mask. None by default.
    folded
        Whether the heads are folded into the last axis of inputs and output.
    queries, keys
        Names of the axes S and T, or fixed lengths.
    operator
        Whether the graph is a node of ai.onnx's Attention, which came with opset 23, or its parts. By
        default Attention from opset 23 on, except for float64, as it holds scale and softcap in float32, and
        for an onnxruntime before 1.28 named by ``for_runtime``.
    **options
        `Options`: ``opset``, ``for_runtime``, ``dtype`` (float32 by default), ``names``, ``batch``,
        ``doc_string``, ``metadata``, ``path``.

    Raises
    ------
    TypeError
        An argument of a type that is not taken.
    ValueError
        Numbers, axes or an opset that do not fit; see the message.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32 and rounded once. The parts are MatMul and a Softmax with ``axis=3``
    written out, which of scores of rank 4 is the last axis under the rule of every opset; a head of keys is
    never copied. Before opset 9, which brought Where, −max/4 stands for −inf and for what an additive mask
    has below it, and a causal rule needs fixed numbers of queries and keys.

    What Attention means was corrected in onnx 1.23. onnxruntime's kernel computes it so from 1.28 on; before,
    a fully masked row is the mean of the values, one query under the causal rule sees every key, and, up to
    1.26, softcap lifts keys that are masked. The parts are right in all of them. Source: ``ai.onnx@24::Attention``.
    """
    settings = read_options(options)
    dtype = settings.dtype or check_dtype(np.float32, settings.opset)
    graph = Graph("attention", settings, dtype)
    layout = read_layout(
        heads=heads, head_size=head_size, kv_heads=kv_heads, value_size=value_size, mask=mask,
        mask_axes=mask_axes, causal=causal, scale=scale, softcap=softcap, folded=folded, queries=queries,
        keys=keys, batch=settings.batch, opset=settings.opset, dtype=graph.compute,
    )  # fmt: skip
    if operator is None:
        operator = settings.opset >= 23 and graph.compute == np.float32 and _is_right_in(settings.for_runtime)
    if operator and settings.opset < 23:
        message = (
            f"expected opset 23 or newer for the Attention operator (got {settings.opset}); "
            "raise the opset, or pass operator=False"
        )
        raise ValueError(message)
    tensors = [
        graph.input(name, layout.shape(*axes))
        for name, axes in (("query", "HSD"), ("key", "GTD"), ("value", "GTE"))
    ]
    if mask is not None:
        tensors.append(graph.input("mask", layout.mask_shape, np.bool_ if mask == "boolean" else None))
    result = (_node if operator else _parts)(graph, layout, *tensors)
    graph.output("output", result, layout.shape(*"HSE"))
    return graph.finish(layout.text, {})


def _is_right_in(runtime: str | None) -> bool:
    """Whether Attention is computed as its text says by the runtime that the options name, if they do."""
    return runtime is None or minor_release(runtime) >= _FIRST_RIGHT


def _node(graph: Graph, layout: Layout, query: str, key: str, value: str, mask: str | None = None) -> str:
    """Add Attention."""
    attributes: dict[str, Any] = {}
    if layout.causal:
        attributes["is_causal"] = 1
    if layout.softcap is not None:
        if graph.compute == np.float64 and float(np.float32(layout.softcap)) != layout.softcap:
            message = (
                f"expected a softcap that is a float32, as Attention holds it (got {layout.softcap}); "
                "round it, or pass operator=False"
            )
            raise ValueError(message)
        attributes["softcap"] = layout.softcap
    if graph.compute == np.float64:  # an attribute holds no more than a float32
        query = graph.node("Mul", query, graph.number("scale", layout.factor), name="scaled_query")
        attributes["scale"] = 1.0
    elif layout.scale is not None:
        attributes["scale"] = layout.scale
    if layout.folded:
        attributes |= {"q_num_heads": layout.heads, "kv_num_heads": layout.kv_heads}
    if mask is not None and layout.mask_shape[-2:-1] in ((), (1,)) and layout.queries != 1:
        mask = _for_each_query(graph, layout, query, mask)
    inputs = [query, key, value] if mask is None else [query, key, value, mask]
    return graph.node("Attention", *inputs, name="output", **attributes)


def _for_each_query(graph: Graph, layout: Layout, query: str, mask: str) -> str:
    """Return the mask of rank 2 or more with an axis of queries: onnxruntime's kernel does not broadcast it."""
    axis = 1 if layout.folded else 2
    queries = graph.node("Shape", query, name="queries_length", start=axis, end=axis + 1)
    lengths = [queries, _integers(graph, "mask_shape_end", [1])]
    if len(layout.mask_shape) > 2:
        lengths.insert(0, _integers(graph, "mask_shape_start", [1] * (len(layout.mask_shape) - 2)))
    shape = graph.node("Concat", *lengths, name="mask_shape", axis=0)
    return graph.node("Expand", mask, shape, name="mask_for_each_query")


def _parts(graph: Graph, layout: Layout, query: str, key: str, value: str, mask: str | None = None) -> str:
    """Add what Attention is made of."""
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
    chances = graph.node("Softmax", scores, name="probabilities", axis=3)
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
    return graph.node("Reshape", x, _integers(graph, f"{name}_shape", shape), name=name)


def _integers(graph: Graph, name: str, values: Sequence[int]) -> str:
    return graph.constant(name, np.array(values, np.int64))
