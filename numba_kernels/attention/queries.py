"""Attention for a panel of queries, block of keys by block of keys; nothing of queries × keys is kept.

pack the queries, times the scale, a query in each lane
for each block of keys:
    scores = keys · queries; what does not take part is −inf
    maximum and sum so far, terms = exp(score − maximum)
    sums of values = those so far · exp(maximum before − maximum) + values · terms
out = sums of values / sum of terms
"""

from typing import Any

import numpy as np

from ..numerics.log import log1p_vector
from ..products.convert import convert_row
from ..products.tile import Rows, multiply, tile_rows
from ..products.transpose import transpose
from ..vector import (
    Variable,
    compute_kind,
    full,
    is_half,
    itemsize,
    lanes,
    load_partial,
    load_scalar,
    loop,
    maximum,
    minimum,
    narrow,
    splat,
    store_partial,
    when,
    where,
    widen,
)
from .call import NONE, Call
from .masks import hide_masked, hide_outside_band, mask_room
from .online import Running
from .scores import KEYS, Block, scores_room, write_scores


def room(kind: Any, depth: Any, width: Any, vectors: int) -> Any:
    """How many numbers of scratch a panel takes."""
    taken, queries = tile_rows(kind), vectors * int(lanes(kind))
    widened = KEYS * (depth + width) if is_half(kind) else 0
    return (depth + 2 * (width + taken)) * queries + scores_room(kind, queries) + mask_room(queries) + widened


class _Scratch:
    """Where in the scratch each thing lies."""

    def __init__(self, kind: Any, address: Any, call: Call, vectors: int) -> None:
        size, queries = itemsize(compute_kind(kind)), vectors * int(lanes(kind))
        self.panel = address
        self.values = self.panel + call.depth * (queries * size)
        self.result = self.values + (call.width + tile_rows(kind)) * (queries * size)
        self.scores = self.result + (call.width + tile_rows(kind)) * (queries * size)
        self.mask = self.scores + scores_room(kind, queries) * size
        self.keys = self.mask + mask_room(queries) * size
        self.widened = self.keys + call.depth * (KEYS * size)


class Panel:
    """Neighbouring queries of a head, from `query` on, on their way over the keys."""

    def __init__(
        self, kind: Any, call: Call, vectors: int, batch: Any, head: Any, query: Any, scratch: Any
    ) -> None:
        self._kind, self._work, self._call, self._vectors = kind, compute_kind(kind), call, vectors
        self._batch, self._head, self._query = batch, head, query
        self._scratch = _Scratch(kind, scratch, call, vectors)
        self._queries = minimum(call.queries - query, vectors * int(lanes(kind)))
        shared = head // call.shared
        keys = call.k + batch * call.k_batch + shared * call.k_head
        values = call.v + batch * call.v_batch + shared * call.v_head
        self._keys = Rows.side_by_side(kind, keys, call.k_row)
        self._values = Rows.side_by_side(kind, values, call.v_row)
        self._end = Variable(call.keys)
        with when(call.lengths != 0):
            self._end.value = minimum(load_scalar(call.keys, call.lengths + batch * 8), call.keys)

    @property
    def keys(self) -> Any:
        """How many keys the batch has."""
        return self._end.value

    @property
    def values(self) -> Any:
        """Where the sums of values lie, a row of vectors for each number of a value."""
        return self._scratch.values

    def block(self, first: Any = None, count: Any = None) -> Block:
        """Some keys for these queries."""
        nothing = self._query.constant(0)
        own = first if first is not None else nothing, count if count is not None else nothing
        return Block(self._work, *own, self._query, self._queries, self._vectors)

    def start(self, sinks: list[Any]) -> Running:
        """Nothing but the sinks so far."""
        empty = self.block()
        with loop(0, self._call.width) as d:
            empty.store(self.values, d, [full(self._work, 0.0)] * self._vectors)
        return Running(empty, sinks)

    def sinks(self) -> list[Any]:
        """The score beside the keys for each query: that of its head, −inf where there is none."""
        sink = Variable(self._work.constant(-np.inf))
        with when(self._call.sink != 0):
            sink.value = load_scalar(self._work, self._call.sink + self._head * itemsize(self._work))
        return [splat(full(self._work, 0.0), sink.value)] * self._vectors

    def sink_of_each(self) -> Any:
        """The same where each query has its own, (heads, queries)."""
        call, nothing = self._call, full(self._work, -np.inf)
        sinks = Variable(nothing)
        with when(call.sink != 0):
            place = call.sink + (self._head * call.queries + self._query) * itemsize(self._work)
            sinks.value = load_partial(self._work, place, self._queries, -np.inf)
        return sinks.value

    def pack(self) -> None:
        """Lay out the queries, a query in each lane, times the scale."""
        call, block = self._call, self.block()
        source = call.q + self._batch * call.q_batch + self._head * call.q_head + self._query * call.q_row
        step, panel = call.depth.constant(block.row), self._scratch.panel
        transpose(self._kind, panel, step, source, call.q_row, self._queries, call.depth, padded=True)
        with loop(0, call.depth) as d:
            block.store(panel, d, [x * splat(x, call.scale) for x in block.load(panel, d)])

    def band(self) -> tuple[Any, Any]:
        """The first and the last key that any of the queries looks at, the first at the beginning of a block."""
        begin = maximum(self._query + self._call.low, 0) // KEYS * KEYS
        return begin, minimum(self._query + self._queries + self._call.high, self.keys)

    def walk(self, running: Running, begin: Any, end: Any, *, masked: bool = True) -> None:
        """Take the keys from `begin` to `end`; `masked`: what hides some of them is heeded."""
        call, scratch = self._call, self._scratch
        with loop(begin, end, KEYS) as first:
            block = self.block(first, minimum((self.keys if masked else end) - first, KEYS))
            keys = self._near(scratch.keys, self._keys.at(first), block, call.depth)
            write_scores(scratch.scores, keys, scratch.panel, call.depth, call.softcap, block)
            if masked:
                with when(call.mask_kind != NONE):
                    hide_masked(scratch.scores, self._mask(), call, scratch.mask, block)
                hide_outside_band(scratch.scores, call.low, call.high, block)
            factors = running.take(scratch.scores, block)
            values = self._near(scratch.widened, self._values.at(first), block, call.width)
            self._add_values(values, factors, block)

    def _mask(self) -> Any:
        call = self._call
        head = self._batch * call.mask_batch + self._head * call.mask_head
        return call.mask + head + self._query * call.mask_row

    def _near(self, dst: Any, rows: Rows, block: Block, depth: Any) -> Rows:
        """The block's rows in the computing type: where they lie, halves in the scratch."""
        if not is_half(self._kind):
            return rows
        step = depth * itemsize(self._work)
        with loop(0, block.count) as i:
            convert_row(self._work, dst + i * step, self._kind, rows.address + i * rows.row, depth)
        return Rows.side_by_side(self._work, dst, step)

    def _add_values(self, values: Rows, factors: list[Any], block: Block) -> None:
        """sums = sums · factor + Σ value · term, for a few numbers of the values at a time."""
        taken, width = tile_rows(self._work), self._call.width
        # number d of the values is a row of the product, whose depth are the keys
        numbers = Rows(values.kind, values.address, values.step, values.row)
        with loop(0, width, taken) as d:
            so_far = [
                [
                    total * factor
                    for total, factor in zip(block.load(self.values, d + i), factors, strict=True)
                ]
                for i in range(taken)
            ]
            few, scores = minimum(width - d, taken), self._scratch.scores
            sums = multiply(self._work, numbers.at(d), few, scores, self._vectors, block.count, so_far)
            for i, of_number in enumerate(sums):
                block.store(self.values, d + i, of_number)

    def finish(self, running: Running) -> None:
        """Divide, and write what was asked for; 0 for a query that no key takes part for."""
        call, block = self._call, self.block()
        divisors = [narrow(full(self._work, 0.0), total) for total in running.sums]
        with loop(0, call.width) as d:
            totals = zip(block.load(self.values, d), divisors, strict=True)
            results = [where(divisor == 0.0, 0.0, total / divisor) for total, divisor in totals]
            block.store(self.values, d, results)
        place = (
            call.out + self._batch * call.out_batch + self._head * call.out_head + self._query * call.out_row
        )
        self._write(place, call.width.constant(block.row))
        with when(call.log_sums != 0):
            self._write_log_sums(running)

    def _write(self, place: Any, step: Any) -> None:
        call, work, queries = self._call, self._work, self._queries
        if not is_half(self._kind):
            transpose(work, place, call.out_row, self.values, step, call.width, queries)
            return
        row, result = call.width * itemsize(work), self._scratch.result
        transpose(work, result, row, self.values, step, call.width, queries)
        with loop(0, queries) as i:
            convert_row(self._kind, place + i * call.out_row, work, result + i * row, call.width)

    def _write_log_sums(self, running: Running) -> None:
        call, work, width = self._call, self._work, int(lanes(self._work))
        line = (self._batch * call.heads + self._head) * call.queries + self._query
        for j, (top, total) in enumerate(zip(running.maxima, running.sums, strict=True)):
            log_sum = widen(top) + log1p_vector(total - 1.0, splat(total, 0.0))
            log_sum = where(total == 0.0, -np.inf, log_sum)
            count = minimum(maximum(self._queries - j * width, 0), width)
            place = call.log_sums + (line + j * width) * itemsize(work)
            store_partial(work, place, narrow(top, log_sum), count)
