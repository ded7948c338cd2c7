"""softmax(scale · q kᵀ, masked) v, and what is kept for its gradient."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.inputs import check_out, computing_type
from .forward import attend
from .inputs import Causal, Window, heads_of, options_of, result_like


@overload
def attention(
    q: npt.ArrayLike,
    k: npt.ArrayLike,
    v: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
    is_causal: Causal = False,
    scale: float | None = None,
    softcap: float = 0.0,
    window: Window = None,
    sink: npt.ArrayLike | None = None,
    return_logsumexp: Literal[False] = False,
    out: Array | None = None,
) -> Array: ...
@overload
def attention(
    q: npt.ArrayLike,
    k: npt.ArrayLike,
    v: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
    is_causal: Causal = False,
    scale: float | None = None,
    softcap: float = 0.0,
    window: Window = None,
    sink: npt.ArrayLike | None = None,
    return_logsumexp: Literal[True],
    out: Array | None = None,
) -> tuple[Array, Array]: ...
def attention(
    q: npt.ArrayLike,
    k: npt.ArrayLike,
    v: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
    is_causal: Causal = False,
    scale: float | None = None,
    softcap: float = 0.0,
    window: Window = None,
    sink: npt.ArrayLike | None = None,
    return_logsumexp: bool = False,
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Scaled dot-product attention, ``softmax(scale * q @ k.T) @ v`` for each head, without the matrix of scores.

    Parameters
    ----------
    q : array of float16, bfloat16, float32 or float64, shape (batch, heads, queries, depth)
        The queries. An array of shape (batch, queries, heads, depth) is passed as ``x.transpose(0, 2, 1, 3)``: no copy
        is made where the numbers of a row are neighbours, and the result lies in memory as `q` does.
    k : array of the dtype of `q`, shape (batch, key heads, keys, depth)
        The keys. A head of theirs serves ``heads / key heads`` neighbouring heads of `q`.
    v : array of the dtype of `q`, shape (batch, key heads, keys, width)
        The values.
    mask : array of bool or float, optional
        Broadcast to (batch, heads, queries, keys). Of bool: True for the keys that take part; of float: added to the
        scores, −inf for those that do not.
    is_causal : bool, "top-left" or "bottom-right"
        Keys after a query's position take no part. Query i has position i (True, as ONNX has it, and "top-left"), or
        i + keys − queries ("bottom-right").
    scale : float, optional
        What the queries are multiplied by; 1/√depth where None.
    softcap : float
        Scores become ``softcap * tanh(score / softcap)`` before any mask; 0 for none.
    window : int or (int, int), optional
        Keys from `left` before a query's position to `right` after it take part, both included; −1 for open.
    sink : array, shape (heads,), optional
        A score for each head that takes part in the sum of exponentials and in nothing else.
    return_logsumexp : bool
        Return the natural logarithm of the sum of exponentials of the scores too, the sink among them.
    out : array, optional
        Where to write the result: shape (batch, heads, queries, width), dtype of `q`; not `q`, `k` or `v`.

    Returns
    -------
    array of the dtype of `q`, shape (batch, heads, queries, width); with `return_logsumexp` a tuple of that and an
    array of shape (batch, heads, queries), float32 for halves

    Raises
    ------
    TypeError
        Another dtype, or different ones.
    ValueError
        Shapes that do not fit together, an option out of range, an `out` of another shape or dtype.

    Notes
    -----
    Special values: a query for which no key takes part, or only scores of −inf, gives 0 and a log-sum of −inf (with a
    sink the sink); a score of NaN or +inf makes the query's result NaN. So does a NaN or an infinity in the values of a
    key that is hidden from it, unless it lies in another block of 64 keys than those that are not.

    Scores, exponentials and sums of values are in float32, of float64 in float64, the sums of exponentials in float64.
    Error: that of the two products, ``(depth + 2) · u · Σ |q · k| · scale`` in the exponent and ``(keys + 2) · u`` of
    Σ p · |v| with u = 2⁻²⁴ (2⁻⁵³), and 4 ULP of the largest of v (``tests/numba_kernels/attention/test_attention.py``).
    Each sum is taken in one order, block of keys by block of keys: the same bits for any number of threads, on every
    processor with a fused multiply-add, and for a query by itself as among others. Extra memory: some 100 KB a thread.
    """
    name = "attention"
    heads = heads_of(name, q, k, v)
    lines, width, dtype = heads.q.shape[:3], heads.v.shape[3], heads.q.dtype
    if out is not None:
        check_out(name, out, (*lines, width), dtype)
    options = options_of(name, heads, mask, is_causal, scale, softcap, window, sink)
    result = result_like(heads, width, out)
    log_sums = np.empty(lines, computing_type(dtype)) if return_logsumexp else None
    attend(heads, options, result, log_sums)
    if out is not None and result is not out:
        np.copyto(out, result)
        result = out
    return result if log_sums is None else (result, log_sums)
