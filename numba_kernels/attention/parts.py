"""Few queries and many keys: each part of the keys by itself, and what they came to put together in their order."""

from typing import Any

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.inputs import computing_type
from ..arrays.operators import LANES
from ..compile.threads import run
from ..numerics.sums import add_pair
from ..products.convert import convert_row
from ..rowwise.kernels import over_pieces, whole_vectors
from ..vector import (
    Variable,
    compute_kind,
    full,
    itemsize,
    lanes,
    load,
    load_scalar,
    loop,
    maximum,
    minimum,
    narrow,
    splat,
    store,
    store_scalar,
    vector_bytes,
    when,
    where,
    widen,
)
from .call import Call, read, row_at
from .forward import call_of, work_of
from .inputs import Heads, Options
from .lines import add_values, write_scores, write_terms
from .online import base_below, exp_below_maximum, log_sum_of

# A part is so many keys; the queries that share them go over some at a time, which stay in the nearest cache meanwhile.
_KEYS, _NEAR = 1024, 32


def _room(kind: Any, call: Any) -> Any:
    """How many numbers of scratch a part takes: queries, and terms for each."""
    told = read(Call, call)
    return told.queries * (whole_vectors(kind, told.depth) + _KEYS)


# What is kept beside sums of values, in bytes.
_NUMBERS = 64


class _Kept:
    """What is kept of a part for each query: sums of values, and in float64 the maximum and the sum in two parts."""

    def __init__(self, kind: Any, call: Call, all_parts: Any, part: Any = 0) -> None:
        self._call = call
        self._sums = whole_vectors(kind, call.width) * itemsize(compute_kind(kind))
        self.size = (self._sums + _NUMBERS) * call.queries
        self._place = all_parts + part * self.size

    def sums(self, query: Any) -> Any:
        """Where the sums of values lie."""
        return self._place + query * (self._sums + _NUMBERS)

    def set(self, query: Any, *numbers: Any) -> None:
        for i, number in enumerate(numbers):
            store_scalar(self._real, self.sums(query) + self._sums + 8 * i, widen(number))

    def numbers(self, query: Any) -> list[Any]:
        """The maximum and the sum."""
        return [load_scalar(self._real, self.sums(query) + self._sums + 8 * i) for i in range(3)]

    @property
    def _real(self) -> Any:
        return self._call.keys.constant(0, types.float64)


def _part(
    kind: Any, call: Call, batch: Any, head: Any, begin: Any, end: Any, kept: _Kept, scratch: Any
) -> None:
    """The keys from `begin` to `end`."""
    work, size, count = compute_kind(kind), itemsize(compute_kind(kind)), end - begin
    row = whole_vectors(kind, call.depth) * size
    terms = scratch + call.queries * row
    shared = head // call.shared
    keys, values = (row_at(call, name, batch, shared, begin) for name in ("k", "v"))
    with loop(0, call.queries) as query:
        own = scratch + query * row
        with loop(0, row, vector_bytes(work)) as at:
            store(work, own + at, full(work, 0.0))
        source = row_at(call, "q", batch, head, query)
        convert_row(work, own, kind, source, call.depth)
        with loop(0, row, vector_bytes(work)) as at:
            x = load(work, own + at)
            store(work, own + at, x * splat(x, call.scale))
        with loop(0, call.width, lanes(work)) as d:
            store(work, kept.sums(query) + d * size, full(work, 0.0))
    with loop(0, count, _NEAR) as first, loop(0, call.queries) as query:
        few, place = minimum(count - first, _NEAR), terms + (query * _KEYS + first) * size
        some = keys + first * call.k_row
        write_scores(kind, place, scratch + query * row, some, call.k_row, few, call.depth, call.softcap)
    with loop(0, call.queries) as query:
        kept.set(query, *write_terms(work, terms + query * (_KEYS * size), maximum(count, 0)))
    with loop(0, count, _NEAR) as first, loop(0, call.queries) as query:
        few, place = minimum(count - first, _NEAR), terms + (query * _KEYS + first) * size
        some = values + first * call.v_row
        add_values(kind, kept.sums(query), place, some, call.v_row, few, call.width)


def _put_together(kind: Any, call: Call, batch: Any, head: Any, parts: Any, place: Any) -> None:
    """Divide the sums of all parts, taken in their order, and write what was asked for."""
    work, size = compute_kind(kind), itemsize(compute_kind(kind))
    with loop(0, call.queries) as query:
        line = head * call.queries + query
        sink = Variable(work.constant(-np.inf))
        with when(call.sink != 0):
            sink.value = load_scalar(work, call.sink + line * size)
        top = Variable(sink.value)
        with loop(0, parts) as part:
            m = narrow(work, _Kept(kind, call, place, part).numbers(query)[0])
            top.value = where(m > top.value, m, top.value)
        base = base_below(top.value)
        total = Variable(widen(exp_below_maximum(sink.value - base)), widen(work.constant(0.0)))
        sums = _Kept(kind, call, place).sums(query)
        with loop(0, parts) as part:
            kept = _Kept(kind, call, place, part)
            m, high, low = kept.numbers(query)
            factor = exp_below_maximum(narrow(work, m) - base)
            own, rest = total.value
            total.value = add_pair(own, rest, high * widen(factor), low * widen(factor))
            with loop(0, call.width * size, vector_bytes(work)) as at:
                x = load(work, kept.sums(query) + at) * splat(full(work, 0.0), factor)
                store(work, sums + at, where(part == 0, x, load(work, sums + at) + x))
        high, low = total.value
        whole = high + low
        divisor = splat(full(work, 0.0), narrow(work, whole))
        with loop(0, call.width * size, vector_bytes(work)) as at:
            store(work, sums + at, where(divisor == 0.0, 0.0, load(work, sums + at) / divisor))
        convert_row(kind, row_at(call, "out", batch, head, query), work, sums, call.width)
        with when(call.log_sums != 0):
            at = call.log_sums + (batch * call.heads * call.queries + line) * size
            store_scalar(work, at, narrow(work, log_sum_of(top.value, whole)))


def _parts(
    kind: Any, kept: Any, call: Any, stage: Any, first: Any, last: Any, parts: Any, scratch: Any
) -> None:
    """Stage 0: each part of the keys; stage 1: whoever has the first part of a head puts all of them together."""
    told = read(Call, call)
    with loop(first, last) as piece:
        place, part = piece // parts, piece % parts
        batch, head = place // told.heads, place % told.heads
        with when(stage == 0) as otherwise:
            end = load_scalar(told.keys, told.lengths + batch * 8)
            begin = maximum(end + told.low, 0) + part * _KEYS
            of_part = _Kept(kind, told, kept, piece)
            _part(kind, told, batch, head, begin, minimum(begin + _KEYS, end), of_part, scratch)
        with otherwise, when(part == 0):
            all_parts = kept + piece * _Kept(kind, told, kept).size
            _put_together(kind, told, batch, head, parts, all_parts)


_KERNELS = over_pieces(_parts, _room, stages=2)
# A product of these takes so much longer than one of `attention`, memory being what is waited for.
_SLOWER = 4.0


def attend_in_parts(
    heads: Heads, options: Options, result: Array, lengths: Array, log_sums: Array | None
) -> None:
    """Write the result for a few queries to each head of keys, all of which look at the last keys of a batch.

    At ``-options.band[0]`` of its `lengths`; ``options.sink`` is one for each query, and there is no mask.
    """
    q = heads.q
    batch, count, queries, _ = q.shape
    parts = max(-(-min(heads.k.shape[2], -options.band[0]) // _KEYS), 1)
    pieces = batch * count * parts
    if pieces == 0:
        return
    call = call_of(heads, options, result, log_sums, lengths)
    width = LANES[q.itemsize]
    size = -(-heads.v.shape[3] // width) * width * computing_type(q.dtype).itemsize + _NUMBERS
    kept = np.empty(pieces * size * queries, np.uint8)
    run(_KERNELS[q.dtype], work_of(heads) * _SLOWER, pieces, address(kept), address(call), pieces, parts)
