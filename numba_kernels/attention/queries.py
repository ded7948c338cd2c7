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
)
from .call import NONE, Call, Slopes, row_at
from .masks import hide_masked, hide_outside_band, mask_room
from .online import Running, log_sum_of
from .scores import KEYS, Block, scores_room, write_scores


def room(kind: Any, depth: Any, width: Any, vectors: int) -> Any:
    """How many numbers of scratch a panel takes."""
    queries, widened = vectors * int(lanes(kind)), KEYS * (depth + width) if is_half(kind) else 0
    sums = 2 * (maximum(depth, width) + tile_rows(kind))
    return (depth + sums) * queries + scores_room(kind, queries) + mask_room(queries) + widened


class _Scratch:
    """Where in the scratch each thing lies."""

    def __init__(self, kind: Any, address: Any, call: Call, vectors: int) -> None:
        size, queries = itemsize(compute_kind(kind)), vectors * int(lanes(kind))
        self.panel = address
        self.values = self.panel + call.depth * (queries * size)
        sums = (maximum(call.depth, call.width) + tile_rows(kind)) * (queries * size)
        self.result = self.values + sums
        self.scores = self.result + sums
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
        self._keys = Rows.side_by_side(kind, row_at(call, "k", batch, shared), call.k_row)
        self._values = Rows.side_by_side(kind, row_at(call, "v", batch, shared), call.v_row)

    @property
    def values(self) -> Any:
        """Where the sums of values lie, a row of vectors for each number of a value."""
        return self._scratch.values

    def block(self, first: Any = 0, count: Any = 0) -> Block:
        """Some keys for these queries."""
        return Block(self._work, first, count, self._query, self._queries, self._vectors)

    def row_of(self, told: Call | Slopes, name: str) -> Any:
        """Where the first query's row of an array lies."""
        return row_at(told, name, self._batch, self._head, self._query)

    def start(self, sinks: list[Any]) -> Running:
        """Nothing but the sinks so far."""
        empty = self.block()
        with loop(0, self._call.width) as d:
            empty.store(self.values, d, [full(self._work, 0.0)] * self._vectors)
        return Running(sinks)

    def sinks(self) -> list[Any]:
        """The score beside the keys for each query: that of its head, −inf where there is none."""
        sink = Variable(self._work.constant(-np.inf))
        with when(self._call.sink != 0):
            sink.value = load_scalar(self._work, self._call.sink + self._head * itemsize(self._work))
        return [splat(full(self._work, 0.0), sink.value)] * self._vectors

    def pack(self) -> None:
        """Lay out the queries, a query in each lane, times the scale."""
        call, block = self._call, self.block()
        source = self.row_of(call, "q")
        step, panel = call.depth.constant(block.row), self._scratch.panel
        transpose(self._kind, panel, step, source, call.q_row, self._queries, call.depth, padded=True)
        with loop(0, call.depth) as d:
            block.store(panel, d, [x * splat(x, call.scale) for x in block.load(panel, d)])

    def band(self) -> tuple[Any, Any]:
        """The first and the last key that any of the queries looks at, the first at the beginning of a block."""
        begin = maximum(self._query + self._call.low, 0) // KEYS * KEYS
        return begin, minimum(self._query + self._queries + self._call.high, self._call.keys)

    def walk(self, running: Running, begin: Any, end: Any) -> None:
        """Take the keys from `begin` to `end`."""
        scratch, width = self._scratch, self._call.width
        with loop(begin, end, KEYS) as first:
            block = self.block(first, minimum(self._call.keys - first, KEYS))
            self.write_scores(self.near_keys(block), block)
            self.hide(block)
            factors = running.take(scratch.scores, block)
            values = self.near_values(block)
            add_products(self.values, values.turned, width, scratch.scores, block, factors)

    def write_scores(self, keys: Rows, block: Block) -> None:
        """The scores of some keys, before any mask."""
        call, scratch = self._call, self._scratch
        write_scores(scratch.scores, keys, scratch.panel, call.depth, call.softcap, block)

    def hide(self, block: Block) -> None:
        """Make scores of what does not take part −inf, and add what a mask adds."""
        call, scratch = self._call, self._scratch
        with when(call.mask_kind != NONE):
            hide_masked(scratch.scores, self.row_of(call, "mask"), call, scratch.mask, block)
        hide_outside_band(scratch.scores, call.low, call.high, block)

    def near_keys(self, block: Block) -> Rows:
        """The block's keys in the computing type."""
        return self._near(self._scratch.keys, self._keys.at(block.first), block, self._call.depth)

    def near_values(self, block: Block) -> Rows:
        """The block's values in the computing type."""
        return self._near(self._scratch.widened, self._values.at(block.first), block, self._call.width)

    def _near(self, dst: Any, rows: Rows, block: Block, depth: Any) -> Rows:
        """The block's rows in the computing type: where they lie, halves in the scratch."""
        if not is_half(self._kind):
            return rows
        step = depth * itemsize(self._work)
        with loop(0, block.count) as i:
            convert_row(self._work, dst + i * step, self._kind, rows.address + i * rows.row, depth)
        return Rows.side_by_side(self._work, dst, step)

    def finish(self, running: Running) -> None:
        """Divide, and write what was asked for; 0 for a query that no key takes part for."""
        call, block = self._call, self.block()
        divisors = [narrow(full(self._work, 0.0), total) for total in running.sums]
        with loop(0, call.width) as d:
            totals = zip(block.load(self.values, d), divisors, strict=True)
            results = [where(divisor == 0.0, 0.0, total / divisor) for total, divisor in totals]
            block.store(self.values, d, results)
        self._write(self.row_of(call, "out"), call.out_row, call.width)
        with when(call.log_sums != 0):
            sums = zip(running.maxima, running.sums, strict=True)
            self._write_each(call.log_sums, [narrow(top, log_sum_of(top, total)) for top, total in sums])

    def _write(self, to: Any, to_row: Any, width: Any) -> None:
        """Write what lies where the sums of values do, `width` numbers for each query, as rows."""
        work, queries, step = self._work, self._queries, width.constant(self.block().row)
        if not is_half(self._kind):
            transpose(work, to, to_row, self.values, step, width, queries)
            return
        row, result = width * itemsize(work), self._scratch.result
        transpose(work, result, row, self.values, step, width, queries)
        with loop(0, queries) as i:
            convert_row(self._kind, to + i * to_row, work, result + i * row, width)

    def _of_each(self, start: Any) -> list[Any]:
        """A number for each query, from (batch, heads, queries)."""
        return [load_partial(self._work, at, count, 0.0) for at, count in self._lines(start)]

    def _write_each(self, start: Any, vectors: list[Any]) -> None:
        """Write a number for each query there."""
        for vector, (at, count) in zip(vectors, self._lines(start), strict=True):
            store_partial(self._work, at, vector, count)

    def _lines(self, start: Any) -> list[tuple[Any, Any]]:
        """Where the numbers of each vector of queries lie there, and how many they are."""
        width, call = int(lanes(self._work)), self._call
        line = (self._batch * call.heads + self._head) * call.queries + self._query
        return [
            (
                start + (line + j * width) * itemsize(self._work),
                minimum(maximum(self._queries - j * width, 0), width),
            )
            for j in range(self._vectors)
        ]


def add_products(
    sums: Any, rows: Rows, count: Any, terms: Any, block: Block, factors: list[Any] | None
) -> None:
    """sums = sums · factor + rows · terms, whose depth are the keys of a block, for a few of `count` rows at a time."""
    taken = tile_rows(block.work)
    with loop(0, count, taken) as first:
        begin = [block.load(sums, first + i) for i in range(taken)]
        if factors is not None:
            begin = [[total * f for total, f in zip(of_row, factors, strict=True)] for of_row in begin]
        few = minimum(count - first, taken)
        products = multiply(block.work, rows.at(first), few, terms, block.vectors, block.count, begin)
        for i, of_row in enumerate(products):
            block.store(sums, first + i, of_row)
