"""Scaled dot-product attention: the Attention operator where the opset has it, its parts elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike

from softops.opset.runtimes.releases import minor_release

from ..builder.graph import Graph
from ..builder.options import Options, check_dtype, read_options
from .attention_arguments import Layout, read_layout
from .attention_parts import add_parts, integers

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
    sink: ArrayLike | Literal["input"] | None = None,
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
    - ``sink`` (H,), where it is an input;

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
    sink
        A logit for each of the H heads that takes part in the sum of the softmax and in nothing else:
        ``exp(scores) / (exp(sink) + Σ exp(scores))``, as gpt-oss has it. Neither scaled nor capped nor masked;
        −inf for a head without one. H numbers below +inf, rounded to ``dtype`` and kept in the model, or
        ``"input"`` for an input. None by default.
    folded
        Whether the heads are folded into the last axis of inputs and output.
    queries, keys
        Names of the axes S and T, or fixed lengths.
    operator
        Whether the graph is a node of ai.onnx's Attention, which came with opset 23, or its parts. By
        default Attention from opset 23 on, except for float64, as it holds scale and softcap in float32, for
        a sink, which it has not, and for an onnxruntime before 1.28 named by ``for_runtime``.
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
    never copied. A sink is one more column of the scores, so that it joins their maximum, and its probability is
    dropped. Before opset 9, which brought Where, −max/4 stands for −inf and for what an additive mask
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
        mask_axes=mask_axes, causal=causal, scale=scale, softcap=softcap, sink=sink, folded=folded,
        queries=queries, keys=keys, batch=settings.batch, opset=settings.opset, dtype=dtype,
        compute=graph.compute,
    )  # fmt: skip
    if operator is None:
        has_all = settings.opset >= 23 and graph.compute == np.float32 and layout.sink is None
        operator = has_all and _is_right_in(settings.for_runtime)
    elif operator:
        _check_operator(layout, settings.opset)
    tensors = [
        graph.input(name, layout.shape(*axes))
        for name, axes in (("query", "HSD"), ("key", "GTD"), ("value", "GTE"))
    ]
    if mask is not None:
        tensors.append(graph.input("mask", layout.mask_shape, np.bool_ if mask == "boolean" else None))
    if operator:
        result = _node(graph, layout, *tensors)
    else:
        result = add_parts(graph, layout, *tensors, sink=_sink(graph, layout))
    graph.output("output", result, layout.shape(*"HSE"))
    return graph.finish(layout.text, {})


def _check_operator(layout: Layout, opset: int) -> None:
    """Raise unless Attention can be what was asked for."""
    if layout.sink is not None:
        message = (
            "expected operator=True without a sink, which the Attention operator has no input for (got both); "
            "leave operator out, and the graph is written in parts"
        )
        raise ValueError(message)
    if opset < 23:
        message = (
            f"expected opset 23 or newer for the Attention operator (got {opset}); "
            "raise the opset, or pass operator=False"
        )
        raise ValueError(message)


def _sink(graph: Graph, layout: Layout) -> str | None:
    """Add the sinks (H,), as an input or as numbers of the model."""
    if layout.sink is None:
        return None
    if isinstance(layout.sink, str):
        return graph.input("sink", [layout.heads])
    return graph.weight("sink", layout.sink)


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
    lengths = [queries, integers(graph, "mask_shape_end", [1])]
    if len(layout.mask_shape) > 2:
        lengths.insert(0, integers(graph, "mask_shape_start", [1] * (len(layout.mask_shape) - 2)))
    shape = graph.node("Concat", *lengths, name="mask_shape", axis=0)
    return graph.node("Expand", mask, shape, name="mask_for_each_query")
