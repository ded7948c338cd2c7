"""What a kernel of attention is told, as numbers in memory: where arrays lie, how they are stepped through, options."""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..vector import load_scalar

_REAL = ("scale", "softcap")
# What a mask is: none, one of bool, numbers that are added to scores.
NONE, BOOL, ADDED = range(3)


class Call(NamedTuple):
    """The numbers of a call; addresses and steps in bytes.

    Key j takes part for query i where ``i + low <= j <= i + high`` and j < keys. `mask`: 0, or where its numbers lie;
    `mask_kind`: 0 none, 1 bool, 2 numbers that are added.
    """

    heads: Any
    shared: Any
    """How many heads of queries share one of keys and values."""
    queries: Any
    keys: Any
    depth: Any
    width: Any
    """The depth of values."""
    low: Any
    high: Any
    q: Any
    q_batch: Any
    q_head: Any
    q_row: Any
    k: Any
    k_batch: Any
    k_head: Any
    k_row: Any
    v: Any
    v_batch: Any
    v_head: Any
    v_row: Any
    out: Any
    out_batch: Any
    out_head: Any
    out_row: Any
    mask: Any
    mask_batch: Any
    mask_head: Any
    mask_row: Any
    mask_kind: Any
    sink: Any
    """0, or where a score for each head lies, in the computing type."""
    lengths: Any
    """0, or where it lies how many keys each batch has."""
    log_sums: Any
    """0, or where the log-sums belong, in the computing type, (batch, heads, queries)."""
    scale: Any
    softcap: Any


class Slopes(NamedTuple):
    """What the gradient is told beside a `Call`, whose `out` and `log_sums` are those of attention."""

    dout: Any
    dout_batch: Any
    dout_head: Any
    dout_row: Any
    dlog_sums: Any
    """0, or where the slope of each log-sum lies, in the computing type."""
    delta: Any
    """Where Σ dout · out less the slope of the log-sum, for each query, is kept, in the computing type."""
    dq: Any
    dq_batch: Any
    dq_head: Any
    dq_row: Any
    dk: Any
    dk_batch: Any
    dk_head: Any
    dk_row: Any
    dv: Any
    dv_batch: Any
    dv_head: Any
    dv_row: Any


def row_at(told: Call | Slopes, name: str, batch: Any, head: Any, row: Any = 0) -> Any:
    """Where a row of an array lies that has steps of its own for batches, heads and rows."""
    start, *steps = (getattr(told, name + step) for step in ("", "_batch", "_head", "_row"))
    for index, step in zip((batch, head, row), steps, strict=True):
        start = start + index * step
    return start


def in_memory(told: Call | Slopes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The numbers as `read` finds them."""
    numbers = np.zeros(len(told), np.int64)
    for i, (name, number) in enumerate(told._asdict().items()):
        (numbers.view(np.float64) if name in _REAL else numbers)[i] = number
    return numbers


def read(form: type[Any], address: Any) -> Any:
    """The numbers of a form at an address, in traced code."""
    whole, real = address, address.constant(0, types.float64)
    kinds = (real if name in _REAL else whole for name in form._fields)
    return form(*(load_scalar(kind, address + 8 * i) for i, kind in enumerate(kinds)))
