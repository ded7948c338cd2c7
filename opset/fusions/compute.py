"""What computes an attention that was found: the kernel, where it gives what the nodes give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from .kernels import kernels

Array = NDArray[Any]

# exp of less is 0 in the dtype of the computation.
_NOTHING: dict[np.dtype[Any], float] = {np.dtype(np.float32): -104.0, np.dtype(np.float64): -746.0}
_WIDE: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float32): np.dtype(np.float32),
    np.dtype(np.float64): np.dtype(np.float64),
    np.dtype(np.float16): np.dtype(np.float32),
    np.dtype(ml_dtypes.bfloat16): np.dtype(np.float32),
}
DTYPES = frozenset(_WIDE)
"""What the kernel takes."""


class Ruled(NamedTuple):
    """A mask: what is added to the scores, or where they stay while the others become a number."""

    array: Array
    fill: float | None


def attended(
    q: Array,
    k: Array,
    v: Array,
    *,
    scale: float,
    cap: float | None,
    masks: Sequence[Ruled],
    zeroes: bool,
) -> Array | None:
    """
    softmax(s, masked) V with s = scale Q Kᵀ, or cap tanh(scale Q Kᵀ): (N, H, S, E).

    Q is (N, H, S, D), K (N, G, T, D) and V (N, G, T, E). A row that masks leave nothing of is NaN, as a softmax of
    nothing but −inf is, or 0 with ``zeroes``. None where scores that a mask sets to a number may count.
    """
    wide = _WIDE[q.dtype]
    if _is_small(q, k, masked=bool(masks)):
        return _by_scores(q, k, v, scale, cap, masks, zeroes=zeroes)
    if cap is not None:
        if not 0 < cap < np.inf:
            return None
        scale *= cap
    y: Array
    if q.shape[2] == 1 and not masks:
        y, sums = kernels().attention_decode(
            q[:, :, 0], k, v, k.shape[2], scale=scale, softcap=cap or 0.0, return_logsumexp=True
        )
        y, sums = y[:, :, None], sums[:, :, None]
    else:
        y, sums = kernels().attention(
            q, k, v, mask=_mask(masks, wide), scale=scale, softcap=cap or 0.0, return_logsumexp=True
        )
    fills = [mask.fill for mask in masks if mask.fill is not None]
    if fills and not _are_nothing(fills, masks, sums, _NOTHING[wide]):
        return None
    empty = ~np.isfinite(sums)
    if empty.any():
        y[empty] = 0 if zeroes else np.nan
    return y


# Of so few scores in all of a head, and of a masked query by itself, BLAS and the softmax kernel take less time.
_FEWEST_SCORES = 1100


def _is_small(q: Array, k: Array, *, masked: bool) -> bool:
    rows = q.shape[1] // k.shape[1] * q.shape[2]
    return q.dtype.itemsize > 2 and (rows * k.shape[2] <= _FEWEST_SCORES or (masked and rows == 1))


def _by_scores(
    q: Array, k: Array, v: Array, scale: float, cap: float | None, masks: Sequence[Ruled], *, zeroes: bool
) -> Array:
    """The same with its matrix of scores, as the nodes have it."""
    batch, heads, queries, size = q.shape
    groups, keys = k.shape[1], k.shape[2]
    # The heads of queries that share a head of keys are one matrix of more rows.
    rows = np.multiply(q, q.dtype.type(scale), order="C").reshape(batch, groups, -1, size)
    chances = np.matmul(rows, k.swapaxes(2, 3))
    scores = chances.reshape(batch, heads, queries, keys)
    if cap is not None:
        np.tanh(scores, out=scores)
        scores *= scores.dtype.type(cap)
    for array, fill in masks:
        if fill is None:
            scores += array
        else:
            np.copyto(scores, fill, where=~array)
    kernels().softmax(chances, -1, out=chances)
    if zeroes:
        scores[np.isnan(scores[..., 0])] = 0
    mixed: Array = np.matmul(chances, v)
    return mixed.reshape(batch, heads, queries, v.shape[3])


def _mask(masks: Sequence[Ruled], wide: np.dtype[Any]) -> Array | None:
    """All in one: where there is one alone as it is, else as what is added."""
    if len(masks) < 2:
        return masks[0].array if masks else None
    added: Array | None = None
    for mask in masks:
        array = mask.array if mask.fill is None else np.where(mask.array, wide.type(0), wide.type(-np.inf))
        added = array if added is None else added + array
    return added


def _are_nothing(fills: Sequence[float], masks: Sequence[Ruled], sums: Array, nothing: float) -> bool:
    """
    Whether e to the number that stands for a masked score is 0 beside the sum of its row, in every row.

    Masks that are added may come behind, and raise it.
    """
    raised = sum(max(float(mask.array.max(initial=0)), 0) for mask in masks if mask.fill is None)
    highest = max(fills) + raised
    return highest == -np.inf or bool(highest - sums.min() < nothing)
