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
    """
    The inputs and attributes of one Attention node, checked, with the defaults filled in.

    Attributes
    ----------
    q, k, v
        As given, 3-D or 4-D.
    mask, past_key, past_value, valid
        As given or None; ``valid`` is nonpad_kv_seqlen.
    heads, kv_heads
        Of the queries, and of keys and values.
    size
        Of a head.
    scale
        The factor of Q K^T; None for 1/sqrt(size), or 1 where that is 0.
    softcap
        0 for none.
    causal
        Whether the causal rule holds.
    left, right
        The window's bounds; -1 for none.
    mode
        What qk_matmul_output is, 0 to 3.
    precision
        Name of the dtype of the softmax, or None for that of Q.
    pads
        Whether a mask may be shorter than the keys.
    """

    q: Array
    k: Array
    v: Array
    mask: Array | None
    past_key: Array | None
    past_value: Array | None
    valid: Array | None
    heads: int
    kv_heads: int
    size: int
    scale: float | None
    softcap: float
    causal: bool
    left: int
    right: int
    mode: int
    precision: str | None
    pads: bool


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
