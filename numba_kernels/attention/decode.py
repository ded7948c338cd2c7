"""Attention of one query for each sequence, against a long cache of keys and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.inputs import as_floats, check_out, computing_type
from .inputs import (
    OPEN,
    Options,
    Window,
    heads_of,
    lengths_of,
    scale_of,
    sides_of,
    sink_of,
    softcap_of,
)
from .parts import attend_in_parts


def attention_decode(
    q: npt.ArrayLike,
    k_cache: npt.ArrayLike,
    v_cache: npt.ArrayLike,
    lengths: npt.ArrayLike,
    *,
    scale: float | None = None,
    softcap: float = 0.0,
    window: Window = None,
    sink: npt.ArrayLike | None = None,
    return_logsumexp: bool = False,
    out: Array | None = None,
) -> Any:
    """Attention of one new query for each sequence against the keys and values that it has so far.

    Parameters
    ----------
    q : array of float16, bfloat16, float32 or float64, shape (batch, heads, depth)
        The query of each sequence, at the position of the last of its keys.
    k_cache : array of the dtype of `q`, shape (batch, key heads, capacity, depth)
        The keys so far; any steps but those within a row. What lies behind a sequence's length is not read.
    v_cache : array of the dtype of `q`, shape (batch, key heads, capacity, width)
        The values so far.
    lengths : int, or array of int, shape (batch,)
        How many keys each sequence has.
    scale : float, optional
        What the queries are multiplied by; 1/√depth where None.
    softcap : float
        Scores become ``softcap * tanh(score / softcap)``; 0 for none.
    window : int or (int, int), optional
        How many keys before the last one take part beside it (the first of two numbers; −1 for all).
    sink : array, shape (heads,), optional
        A score for each head that takes part in the sum of exponentials and in nothing else.
    return_logsumexp : bool
        Return the natural logarithm of the sum of exponentials of the scores too, the sink among them.
    out : array, optional
        Where to write the result: shape (batch, heads, width), dtype of `q`.

    Returns
    -------
    array of the dtype of `q`, shape (batch, heads, width); with `return_logsumexp` a tuple of that and an array of
    shape (batch, heads), float32 for halves

    Raises
    ------
    TypeError
        Another dtype, or different ones.
    ValueError
        Shapes that do not fit together, lengths or an option out of range, an `out` of another shape or dtype.

    Notes
    -----
    The keys are cut into parts of 1024, each of which a thread takes by itself; the parts are put together in their
    order, so that the bits do not depend on the number of threads. Scores are summed in the lanes of a vector and then
    over these: the bits are not those of `attention`. Heads that share keys read them once. Special values and error
    are those of `attention`, 8 ULP of the largest of v more for the parts
    (``tests/numba_kernels/attention/test_decode.py``). Passes over memory: one over the keys and values in use.
    """
    name = "attention_decode"
    query = as_floats(name, q)
    if query.ndim != 3:
        message = f"{name} takes q of shape (batch, heads, depth) (got {query.shape}); of more queries attention does"
        raise ValueError(message)
    heads = heads_of(name, query[:, :, None], k_cache, v_cache)
    (batch, count, depth), (_, key_heads, capacity, width) = query.shape, heads.v.shape
    work = computing_type(query.dtype)
    if out is not None:
        check_out(name, out, (batch, count, width), query.dtype)
    left, _ = sides_of(name, window)
    sinks = sink_of(name, sink, count, work)
    options = Options(
        (-(left + 1) if left >= 0 else -OPEN, 0), scale_of(name, scale, depth), softcap_of(name, softcap)
    )
    shape = (batch, key_heads, count // key_heads)
    result = np.empty((batch, count, width), query.dtype)
    log_sums = np.empty((batch, count), work)
    grouped = heads._replace(q=in_c_order(query).reshape(*shape, depth))
    attend_in_parts(
        grouped,
        options._replace(sink=sinks),
        result.reshape(*shape, width),
        lengths_of(name, lengths, batch, capacity),
        log_sums.reshape(shape) if return_logsumexp else None,
    )
    if out is not None:
        np.copyto(out, result)
        result = out
    return (result, log_sums) if return_logsumexp else result
