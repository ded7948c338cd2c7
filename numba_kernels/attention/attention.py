"""softmax(scale · q kᵀ, masked) v, and what is kept for its gradient."""

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, address, first_number
from ..arrays.inputs import check_out
from ..compile.jit import helper, keep_alive
from ..compile.kernels import in_stages
from ..compile.threads import run
from ..rowwise.kernels import new_scratch
from ..vector import compute_kind, loop, minimum, traced
from .call import ADDED, BOOL, NONE, Call
from .inputs import Causal, Heads, Window, band_of, heads_of, mask_of, scale_of, sink_of, softcap_of
from .queries import attend, panel_queries, room

# So many products take as long as a number of a softmax, by which `threads` counts.
_PRODUCTS_A_NUMBER = 30.0
# Panels of every processor divide this.
_TOGETHER = 32


@traced
def _room(kind: Any, call: Any) -> Any:
    numbers = Call.read(call)
    return room(kind, numbers.depth, numbers.width)


@traced
def _panels(kind: Any, call: Any, first: Any, last: Any, scratch: Any) -> None:
    """So many pieces of queries, each of one panel or a few, those of a head behind one another."""
    numbers = Call.read(call)
    pieces = (numbers.queries + (_TOGETHER - 1)) // _TOGETHER
    with loop(first, last) as piece:
        place, start = piece // pieces, piece % pieces * _TOGETHER
        with loop(
            start, minimum(start + _TOGETHER, numbers.queries), panel_queries(compute_kind(kind))
        ) as query:
            attend(kind, numbers, place // numbers.heads, place % numbers.heads, query, scratch)


@helper
def _lines(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, n: Any) -> Any:
    owner, scratch = new_scratch(_room(kind, src), kind)
    _panels(kind, src, first, last, scratch)
    keep_alive(owner)


_KERNELS = in_stages(_lines, 1, 1.0, lambda n, inner: 1)


def _result_like(q: Array, width: int) -> Array:
    """Room for the result in the memory order of the queries, heads beside or inside rows."""
    batch, heads, queries, _ = q.shape
    if q.strides[1] < q.strides[2] and heads > 1:
        return np.empty((batch, queries, heads, width), q.dtype).transpose(0, 2, 1, 3)
    return np.empty((batch, heads, queries, width), q.dtype)


def _run(
    heads: Heads,
    result: Array,
    log_sums: Array | None,
    mask: Array | None,
    sink: Array | None,
    band: tuple[int, int],
    scale: float,
    softcap: float,
) -> None:
    q, k, v = heads
    batch, count, queries, depth = q.shape
    keys, width = k.shape[2], v.shape[3]
    steps = [step for x in (q, k, v, result) for step in (first_number(x), *x.strides[:3])]
    masked = (
        (first_number(mask), *mask.strides[:3], BOOL if mask.dtype == np.bool_ else ADDED)
        if mask is not None
        else (0, 0, 0, 0, NONE)
    )
    call = Call(
        *(count, count // k.shape[1], queries, keys, depth, width, *band, *steps, *masked),
        *(0 if x is None else address(x) for x in (sink, log_sums)),
        scale,
        softcap,
    ).in_memory()
    pieces = batch * count * -(-queries // _TOGETHER)
    work = q.size // max(depth, 1) * keys * (depth + width) / _PRODUCTS_A_NUMBER
    run(_KERNELS[q.dtype], work, pieces, 0, address(call), pieces, 1)


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
    key that is hidden from it, unless it lies in another block of 96 keys than those that are not.

    Scores, exponentials and sums of values are in float32, of float64 in float64, the sums of exponentials in float64.
    Error: that of the two products, ``(depth + 2) · u · Σ |q · k| · scale`` in the exponent and ``(keys + 2) · u`` of
    Σ p · |v| with u = 2⁻²⁴ (2⁻⁵³), and 4 ULP of the largest of v (``tests/numba_kernels/attention/test_attention.py``).
    Each sum is taken in one order, block of keys by block of keys: the same bits for any number of threads, on every
    processor with a fused multiply-add, and for a query by itself as among others. Extra memory: some 100 KB a thread.
    """
    name = "attention"
    heads = heads_of(name, q, k, v)
    shape, width = heads.q.shape, heads.v.shape[3]
    work = np.dtype(np.float32) if heads.q.itemsize == 2 else heads.q.dtype
    if out is not None:
        check_out(name, out, (*shape[:3], width), heads.q.dtype)
    keys = heads.k.shape[2]
    options = (
        mask_of(name, mask, (*shape[:3], keys), work),
        sink_of(name, sink, shape[1], work),
        band_of(name, is_causal, window, shape[2], keys),
        scale_of(name, scale, shape[3]),
        softcap_of(name, softcap),
    )
    takes = (
        out is not None
        and out.strides[-1] == out.itemsize
        and not any(np.may_share_memory(out, x) for x in heads)
    )
    result = out if out is not None and takes else _result_like(heads.q, width)
    log_sums = np.empty(shape[:3], work) if return_logsumexp else None
    if result.size or (log_sums is not None and log_sums.size):
        _run(heads, result, log_sums, *options)
    if out is not None and result is not out:
        np.copyto(out, result)
        result = out
    return result if log_sums is None else (result, log_sums)
