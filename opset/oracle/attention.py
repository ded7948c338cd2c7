"""
The oracle of Attention (ai.onnx 23, 24 and 25): one query at a time, in extended precision.

Precision and special values are those of `softops.opset.reference`; what ONNX leaves open: the notes of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .softmax import Extended, softmax

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The inputs and attributes of one Attention node, checked, with the defaults filled in."""

    q: Array  # 3-D or 4-D, as all that is given
    k: Array
    v: Array
    mask: Array | None
    past_key: Array | None
    past_value: Array | None
    valid: Array | None  # nonpad_kv_seqlen
    heads: int  # of the queries
    kv_heads: int
    size: int  # of a head
    scale: float | None  # of Q K^T; None for 1/sqrt(size), or 1 where that is 0
    softcap: float  # 0 for none
    causal: bool
    left: int  # how far the window goes; -1 for without end
    right: int
    mode: int  # what qk_matmul_output is, 0 to 3
    precision: str | None  # dtype of the softmax; None for that of Q
    pads: bool  # whether a mask may be shorter than the keys


def attention(a: Arguments) -> tuple[Extended, ...]:
    """
    Y, present_key, present_value and qk_matmul_output, of every step the exact value.

    ``precision``, which says how accurate a runtime is at least, changes nothing here.
    """
    query = _heads_of(a.q, a.heads)
    key, value = _heads_of(a.k, a.kv_heads), _heads_of(a.v, a.kv_heads)
    if a.past_key is not None and a.past_value is not None:
        key = np.concatenate([a.past_key.astype(np.longdouble), key], axis=2)
        value = np.concatenate([a.past_value.astype(np.longdouble), value], axis=2)
    n, heads, queries, size = query.shape
    scale = 1 / np.sqrt(np.longdouble(size or 1)) if a.scale is None else np.longdouble(a.scale)
    keys = key.shape[2]
    y = np.zeros((n, heads, queries, value.shape[3]), np.longdouble)
    shown = np.zeros((n, heads, queries, keys), np.longdouble)
    for b, h, i in np.ndindex(n, heads, queries):
        g = h * a.kv_heads // heads
        with np.errstate(invalid="ignore", over="ignore"):
            product = scale * (key[b, g] @ query[b, h, i])
            capped = a.softcap * np.tanh(product / a.softcap) if a.softcap else product
            bias = _bias_row(a, b, h, i, keys)
            biased = capped + bias
            probability = np.zeros(keys, np.longdouble) if np.all(bias == -np.inf) else softmax(biased)
            shown[b, h, i] = (product, capped, biased, probability)[a.mode]
            y[b, h, i] = probability @ value[b, g]
    if a.q.ndim == 3:
        y = np.concatenate([y[:, h] for h in range(heads)], axis=2)
    return y, key, value, shown


def _heads_of(x: Array, count: int) -> Extended:
    x = x.astype(np.longdouble)
    if x.ndim == 4:
        return x
    return np.stack(np.split(x, count, axis=2), axis=1)


def _bias_row(a: Arguments, b: int, h: int, i: int, keys: int) -> Extended:
    """What is added to the scores of query i of head h of sample b."""
    bias = np.zeros(keys, np.longdouble)
    if a.mask is not None:
        shape = (a.q.shape[0], a.heads, a.q.shape[-2])
        row = np.broadcast_to(a.mask, (*shape, a.mask.shape[-1] if a.mask.ndim else keys))[b, h, i]
        if a.mask.dtype == bool:
            row = np.where(row, np.longdouble(0), np.longdouble(-np.inf))
        row = row.astype(a.q.dtype).astype(np.longdouble)
        if len(row) < keys and a.pads:
            row = np.append(row, [-np.inf] * (keys - len(row)))
        bias = bias + row
    before = 0
    if a.past_key is not None:
        before = a.past_key.shape[2]
    if a.valid is not None:
        before = int(a.valid[b]) - a.q.shape[-2]
        bias[int(a.valid[b]) :] += -np.inf
    place = before + i
    for j in range(keys):
        beyond = a.causal and j > place
        left = a.left >= 0 and j < place - a.left
        right = a.right >= 0 and j > place + a.right
        if beyond or left or right:
            bias[j] += -np.inf
    return bias
