"""Attention by its formula in extended precision, and how far results may be off that are summed in a float type."""

import numpy as np


def band(is_causal, window, queries, keys):
    """Which keys the causal rule and the window leave, (queries, keys)."""
    position = np.arange(queries)[:, None] + (keys - queries if is_causal == "bottom-right" else 0)
    key = np.arange(keys)
    left, right = (-1, -1) if window is None else (window, window) if isinstance(window, int) else window
    shown = np.ones((queries, keys), bool)
    if is_causal:
        shown &= key <= position
    if left >= 0:
        shown &= key >= position - left
    if right >= 0:
        shown &= key <= position + right
    return shown


def attention(q, k, v, *, mask=None, is_causal=False, scale=None, softcap=0.0, window=None, sink=None):
    """(result, log-sum, bound of the result's error, bound of the log-sum's)."""
    unit = 2.0**-53 if q.dtype == np.float64 else 2.0**-24
    group = q.shape[1] // k.shape[1]
    q, k, v = (x.astype(np.longdouble) for x in (q, k, v))
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    depth, keys = q.shape[-1], k.shape[2]
    scale = depth**-0.5 if scale is None else scale
    scores, sizes = (scale * a @ b.transpose(0, 1, 3, 2) for a, b in ((q, k), (np.abs(q), np.abs(k))))
    off = (depth + 3) * unit * abs(sizes)
    if softcap:
        scores = softcap * np.tanh(scores / softcap)  # its slope is at most 1
        off = off + 4 * unit * np.abs(scores)
    if mask is not None:
        scores = (
            np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask.astype(np.longdouble)
        )
        off = off + unit * np.where(np.isfinite(scores), np.abs(scores), 0)
    scores = np.where(band(is_causal, window, q.shape[2], keys), scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    if sink is not None:
        sink = sink.astype(np.longdouble)[:, None, None]
        top = np.maximum(top, sink)
    top = np.where(np.isneginf(top), 0, top)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.exp(scores - top)
        total = terms.sum(axis=-1, keepdims=True) + (0 if sink is None else np.exp(sink - top))
        p = np.where(total > 0, terms / total, 0)
        log_sum = (np.log(total) + top)[..., 0]
    log_sum = np.where(total[..., 0] > 0, log_sum, -np.inf)
    shift = off.max(axis=-1, keepdims=True, initial=0)
    relative = (
        np.expm1(2 * shift) + 16 * unit
    )  # of a term: its score's, its exponential's, the factors that lower it
    products = p @ np.abs(v)
    bound = products * (relative + (keys + 2) * unit) + 4 * unit * np.abs(v).max(
        axis=-2, keepdims=True, initial=0
    )
    return (
        p @ v,
        log_sum,
        bound,
        shift[..., 0] + 4 * unit * (1 + np.abs(np.where(total[..., 0] > 0, log_sum, 0))),
    )
