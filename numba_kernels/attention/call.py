"""What a kernel of attention is told, as numbers in memory: where arrays lie, how they are stepped through, options."""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..vector import load_scalar

_REAL = ("scale", "softcap")
# What a mask is: none, one of bool, numbers that are added to scores.
NONE, BOOL, ADDED = range(3)


class Call(NamedTuple):
    """The numbers of a call; addresses and steps in bytes, the last two of float64.

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

    def in_memory(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The numbers as `read` finds them."""
        whole = np.array([0 if name in _REAL else n for name, n in self._asdict().items()], np.int64)
        whole.view(np.float64)[-2:] = self.scale, self.softcap
        return whole

    @staticmethod
    def read(address: Any) -> "Call":
        """The numbers at an address, in traced code."""
        whole, real = address, address.constant(0, types.float64)
        kinds = (real if name in _REAL else whole for name in Call._fields)
        return Call(*(load_scalar(kind, address + 8 * i) for i, kind in enumerate(kinds)))
