"""
How far the outputs of an Attention may be from the exact ones.

The letters are those of `measure.bounds`. A score is off by g = (S(D) + 4)·u·Σ|q·k|·scale + 2u·|bias|, and
8u·c where it is capped at c; so a probability by (|d| + ln T + S(T) + 12)·u + expm1(2 max g), relatively (see Softmax),
and |y' − y| ≤ Σ p·|v|·(that + S(T)·u). Here u is that of the dtype itself, of halves too: without softmax_precision the
softmax has the precision of Q, and the products of the function body have none other. The fourth output is the scores
before all else, off by the first term of g, the scores later on, off by g, or the probabilities. Keys and values are
passed on as they are.
"""

from __future__ import annotations

import numpy as np

from ..measure.bounds import summed
from ..measure.ulp import Doubles, unit_roundoff
from .question import Question

_SCORES = 3
"""Place of the output qk_matmul_output."""

_PRODUCT, _CHANGED = 0, (1, 2)
"""What it may be: the scores, the scores capped or with the mask added; else the probabilities."""


def attention_allowance(asked: Question, size: Doubles) -> Doubles:
    """Return how far each element of an output of Attention may be from its exact value."""
    if asked.place in (1, 2):  # keys and values, passed on
        return np.zeros(size.shape)
    call, u = asked.truth.call, unit_roundoff(asked.dtype)
    inputs = call.inputs
    mask = None if len(inputs) < 4 else inputs[3]
    with np.errstate(all="ignore"):
        _, key, values, probability = asked.row.evaluate(
            inputs, {**call.attributes, "qk_matmul_output_mode": 3}, outputs=4, rounded=False
        )
        biased = asked.row.evaluate(
            inputs, {**call.attributes, "qk_matmul_output_mode": 2}, outputs=4, rounded=False
        )[3].astype(np.float64)
    query = asked.x
    if query.ndim == 3:
        query = np.moveaxis(query.reshape(*query.shape[:2], call.attributes["q_num_heads"], -1), 2, 1)
    depth = query.shape[-1]
    size_of = np.repeat(np.abs(key.astype(np.float64)), query.shape[1] // key.shape[1], axis=1)
    product = np.abs(query.astype(np.float64)) @ np.swapaxes(size_of, -1, -2)
    scale = call.attributes.get("scale")
    product *= max(depth, 1) ** -0.5 if scale is None else abs(scale)
    keys = product.shape[-1]
    tiny = float(np.finfo(np.float32).tiny)
    g = (summed(depth) + 4) * u * product
    shown = call.attributes.get("qk_matmul_output_mode", 0) if asked.place == _SCORES else None
    if shown == _PRODUCT:
        return np.asarray(g + tiny)
    g = g + 8 * u * call.attributes.get("softcap", 0.0)
    if mask is not None:
        g = g + 2 * u * np.abs(np.nan_to_num(biased, nan=0, posinf=0, neginf=0))
    if shown in _CHANGED:
        return np.asarray(g + tiny)
    p = np.nan_to_num(probability.astype(np.float64), nan=0)
    # Of a masked key nothing is taken, so its score may be anything.
    g = np.where(p > 0, g, 0).max(-1, keepdims=True)
    finite = np.where(np.isfinite(biased), biased, -np.inf)
    distance = np.nan_to_num(finite.max(-1, keepdims=True) - finite, nan=0, posinf=0)
    relative = (distance + np.log(keys) + summed(keys) + 12) * u + np.expm1(np.minimum(2 * g, 700))
    if shown is not None:
        return np.asarray(p * relative + tiny)
    wide = np.abs(np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0))
    wide = np.repeat(wide, p.shape[1] // wide.shape[1], axis=1)
    allowed = (p * (relative + summed(keys) * u)) @ wide + tiny
    if asked.x.ndim == 3:
        allowed = np.concatenate([allowed[:, h] for h in range(allowed.shape[1])], axis=2)
    return np.asarray(allowed)
