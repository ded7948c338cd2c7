"""The small language that kernels are written in: values, Python's operators, control flow, memory. See README.md.

These names are all that a kernel needs; what comes in are Numba's scalars, and addresses as integers.
Imports nothing of softops; what is private of Numba is in `numba_internals` alone.
"""

from .atomics import count_on, counted, let_others_run, now
from .control import Variable, loop, when
from .control_word import default_arithmetic, restore_arithmetic
from .functions import outlined, traced
from .memory import (
    CHUNK,
    chunk_scratch,
    load,
    load_partial,
    load_scalar,
    prefetch,
    stack_address,
    stack_scratch,
    store,
    store_partial,
    store_scalar,
    vector_bytes,
)
from .operations import (
    all_set,
    any_set,
    bits,
    compute_kind,
    extended,
    extract,
    first_lane,
    fma,
    fma_exact,
    from_bits,
    full,
    fuses,
    halves_of,
    insert,
    is_half,
    itemsize,
    join,
    lane_index,
    lanes,
    lookup4,
    maximum,
    minimum,
    multiply_long,
    narrow,
    register_lanes,
    shuffle,
    splat,
    split,
    sqrt,
    unordered,
    where,
    widen,
)
from .types import KINDS, VECTOR_BYTES, computed_as
from .values import Value

__all__ = ["Variable", "loop", "when"]
__all__ += ["Value", "outlined", "traced"]
__all__ += ["count_on", "counted", "let_others_run", "now"]
__all__ += ["default_arithmetic", "restore_arithmetic"]
__all__ += ["load", "load_partial", "load_scalar", "prefetch", "store", "store_partial", "store_scalar"]
__all__ += ["CHUNK", "chunk_scratch", "stack_address", "stack_scratch", "vector_bytes"]
__all__ += ["KINDS", "VECTOR_BYTES", "compute_kind", "computed_as", "is_half", "itemsize", "lanes"]
__all__ += [
    "bits",
    "extended",
    "fma",
    "fma_exact",
    "from_bits",
    "full",
    "fuses",
    "halves_of",
    "maximum",
    "minimum",
    "multiply_long",
    "narrow",
    "splat",
    "sqrt",
    "widen",
]
__all__ += ["all_set", "any_set", "unordered", "where"]
__all__ += [
    "extract",
    "first_lane",
    "insert",
    "join",
    "lane_index",
    "lookup4",
    "register_lanes",
    "shuffle",
    "split",
]
