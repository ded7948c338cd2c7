"""The gradient of attention: nothing of queries × keys is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, address, first_number, in_c_order
from ..arrays.inputs import as_floats, computing_type
from ..compile.arithmetic import own_arithmetic
from ..compile.threads import run
from ..products.convert import convert_row
from ..products.tile import tile_rows
from ..rowwise.kernels import over_pieces
from ..vector import (
    compute_kind,
    full,
    itemsize,
    lanes,
    loop,
    maximum,
    minimum,
    store,
    vector_bytes,
    when,
)
from .call import Call, Slopes, in_memory, read, row_at
from .forward import call_of, work_of
from .inputs import Causal, Window, heads_of, options_of
from .scores import KEYS, widest
from .slopes import SlopePanel, padded, slopes_room

# The products of all stages beside those of attention itself.
_MORE = 3.5
# So many queries or keys are a piece of the work, about.
_TOGETHER = 32


def _room(kind: Any, calls: Any) -> Any:
    told = read(Call, calls[0])
    return slopes_room(kind, told.depth, told.width)


def _stages(
    kind: Any, dst: Any, calls: Any, stage: Any, first: Any, last: Any, pieces: Any, scratch: Any
) -> None:
    """First delta of each query, then dq for panels of queries and dk and dv for blocks of keys."""
    told, slopes, batches = read(Call, calls[0]), read(Slopes, calls[1]), calls[2]
    width = widest(kind) * int(lanes(kind))
    panels = (told.queries + (width - 1)) // width
    count = batches * told.heads * panels
    with when(stage < 2), loop(count * first // pieces, count * last // pieces) as piece:
        line, query = piece // panels, piece % panels * width
        panel = SlopePanel(kind, told, slopes, line // told.heads, line % told.heads, query, scratch)
        with when(stage == 0) as otherwise:
            panel.write_delta()
        with otherwise:
            panel.pack()
            panel.slope_of_queries()
    blocks, heads = (told.keys + (KEYS - 1)) // KEYS, told.heads // told.shared
    count = batches * heads * blocks
    with when(stage == 2), loop(count * first // pieces, count * last // pieces) as piece:
        line = piece // blocks
        _of_keys(kind, told, slopes, line // heads, line % heads, piece % blocks * KEYS, scratch)


def _of_keys(kind: Any, call: Call, slopes: Slopes, batch: Any, head: Any, first: Any, scratch: Any) -> None:
    """Write dk and dv of a block of keys: sums over the queries of the heads that share them, in their order."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    width, count = widest(kind) * int(lanes(kind)), minimum(call.keys - first, KEYS)
    rows = [padded(kind, numbers) * size for numbers in (call.depth, call.width)]
    blocks, room = SlopePanel(kind, call, slopes, batch, head, first, scratch).blocks, KEYS + tile_rows(work)
    dk, dv = blocks, blocks + room * rows[0]
    with loop(0, room * (rows[0] + rows[1]), vector_bytes(work)) as at:
        store(work, blocks + at, full(work, 0.0))
    begin = maximum(first - call.high, 0) // width * width
    end = minimum(first + count - call.low, call.queries)
    with loop(head * call.shared, (head + 1) * call.shared) as own, loop(begin, end, width) as query:
        panel = SlopePanel(kind, call, slopes, batch, own, query, scratch)
        panel.pack()
        panel.add_slopes_of_keys(dk, dv, panel.block(first, count))
    to_dk, to_dv = (row_at(slopes, name, batch, head, first) for name in ("dk", "dv"))
    with loop(0, count) as i:
        convert_row(kind, to_dk + i * slopes.dk_row, work, dk + i * rows[0], call.depth)
        convert_row(kind, to_dv + i * slopes.dv_row, work, dv + i * rows[1], call.width)


_KERNELS = over_pieces(_stages, _room, stages=3)


def _slopes(dout: Array, dlog_sums: Array | None, delta: Array, results: tuple[Array, ...]) -> Array:
    steps = [step for x in results for step in (first_number(x), *x.strides[:3])]
    small = [0 if dlog_sums is None else address(dlog_sums), address(delta)]
    return in_memory(Slopes(*(first_number(dout), *dout.strides[:3], *small, *steps)))


def _like_result(
    name: str, what: str, given: npt.ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    x = as_floats(name, given)
    if x.shape != shape or x.dtype != dtype:
        message = (
            f"{name} takes {what} of attention's result, {dtype} of shape {shape} "
            f"(got {x.dtype} of shape {x.shape}); pass what attention(…, return_logsumexp=True) gave"
        )
        raise ValueError(message)
    return x if x.strides[-1] == x.itemsize or x.shape[-1] < 2 else np.ascontiguousarray(x)


def attention_grad(
    dout: npt.ArrayLike,
    q: npt.ArrayLike,
    k: npt.ArrayLike,
    v: npt.ArrayLike,
    out: npt.ArrayLike,
    logsumexp: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
    is_causal: Causal = False,
    scale: float | None = None,
    softcap: float = 0.0,
    window: Window = None,
    sink: npt.ArrayLike | None = None,
    dlogsumexp: npt.ArrayLike | None = None,
) -> tuple[Array, ...]:
    """Gradient of a loss with respect to what `attention` takes, from what it gave.

    ``p = exp(scores - logsumexp)``, ``ds = p * (dout @ v.T - (dout * out).sum(-1) + dlogsumexp)``, ``dq = scale * ds @
    k``, ``dk = scale * ds.T @ q``, ``dv = p.T @ dout``.

    Parameters
    ----------
    dout : array, shape (batch, heads, queries, width)
        The gradient with respect to attention's result, of its dtype.
    q, k, v : arrays
        What `attention` was given.
    out : array, shape (batch, heads, queries, width)
        What it gave.
    logsumexp : array, shape (batch, heads, queries)
        The log-sums that it gave with ``return_logsumexp=True``.
    mask, is_causal, scale, softcap, window, sink
        The options it was given.
    dlogsumexp : array, shape (batch, heads, queries), optional
        The gradient with respect to the log-sums, where they are used.

    Returns
    -------
    tuple (dq, dk, dv) of arrays of the shapes and dtype of `q`, `k`, `v`; with a sink (dq, dk, dv, dsink)

    Raises
    ------
    TypeError
        Another dtype, or different ones.
    ValueError
        Shapes that do not fit together, or an option out of range.

    Notes
    -----
    Scores and probabilities are computed again, twice, a block at a time: seven products where attention has two, and
    some 300 KB a thread. Sums are in float32, of float64 in float64, in a fixed order: the same bits for any number of
    threads. Rounding of the log-sums counts: probabilities are right to about ``|logsumexp| · u`` with u = 2⁻²⁴
    (2⁻⁵³) beside the error of `attention` (``tests/numba_kernels/attention/test_gradient.py``). A query that no key
    takes part for has gradient 0.
    """
    name = "attention_grad"
    heads = heads_of(name, q, k, v)
    (batch, count, queries, _), keys, width = heads.q.shape, heads.k.shape[2], heads.v.shape[3]
    dtype, work = heads.q.dtype, computing_type(heads.q.dtype)
    results = [
        _like_result(name, what, given, (batch, count, queries, width), dtype)
        for what, given in (("dout", dout), ("out", out))
    ]
    lines: list[Array | None] = [
        in_c_order(_like_result(name, "logsumexp", logsumexp, (batch, count, queries), work)),
        None,
    ]
    if dlogsumexp is not None:
        lines[1] = in_c_order(_like_result(name, "dlogsumexp", dlogsumexp, (batch, count, queries), work))
    options = options_of(name, heads, mask, is_causal, scale, softcap, window, sink)
    slopes = tuple(np.zeros(x.shape, dtype) for x in heads)
    delta = np.zeros((batch, count, queries), work)
    if heads.q.size and heads.k.size:
        call = call_of(heads, options, results[1], lines[0])
        own = _slopes(results[0], lines[1], delta, slopes)
        pieces = batch * max(count * -(-queries // _TOGETHER), heads.k.shape[1] * -(-keys // _TOGETHER))
        told = address(call), address(own), batch
        run(_KERNELS[dtype], work_of(heads) * _MORE, pieces, 0, told, pieces, pieces)
    return slopes if options.sink is None else (*slopes, _slope_of_sink(options.sink, lines[0], delta))


def _slope_of_sink(sink: Array, log_sums: Any, delta: Array) -> Array:
    with own_arithmetic():
        wide = [x.astype(np.float64) for x in (sink[:, None], log_sums, delta)]
        share = np.exp(wide[0] - np.where(np.isneginf(wide[1]), 0.0, wide[1]))
        slope: Array = -(share * wide[2]).sum(axis=(0, 2))
        return slope.astype(sink.dtype)
