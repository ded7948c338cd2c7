"""What computes an attention that was found: the kernel, where it gives what the nodes give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

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
    from softops import numba_kernels

    wide = _WIDE[q.dtype]
    if cap is not None:
        if not 0 < cap < np.inf:
            return None
        scale *= cap
    y, sums = numba_kernels.attention(
        q, k, v, mask=_mask(masks, wide), scale=scale, softcap=cap or 0.0, return_logsumexp=True
    )
    fills = [mask.fill for mask in masks if mask.fill is not None]
    if fills and not _are_nothing(fills, masks, sums, _NOTHING[wide]):
        return None
    empty = ~np.isfinite(sums)
    if empty.any():
        y[empty] = 0 if zeroes else np.nan
    return y


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
