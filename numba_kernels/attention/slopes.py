"""The gradient of attention for a panel of queries and a block of keys, from the log-sums, block by block.

p = exp(score − log-sum)                    of the forward's scores, computed again
dp = values · dout
ds = p · (dp − delta)                       delta = Σ dout · out − (the slope of the log-sum)
dq = Σ ds · keys · scale                    over the keys, for a panel
dk = Σ ds · queries · scale, dv = Σ p · dout   over the queries, for a block
"""

from typing import Any

from ..products.convert import convert_row
from ..products.tile import Rows, multiply, tile_rows
from ..products.transpose import transpose
from ..vector import (
    Variable,
    full,
    itemsize,
    lanes,
    load,
    loop,
    minimum,
    narrow,
    splat,
    store,
    vector_bytes,
    when,
    where,
    widen,
)
from .call import Call, Slopes
from .online import base_below, exp_below_maximum
from .queries import Panel, add_products, room
from .scores import KEYS, Block, scores_room, widest


def padded(kind: Any, numbers: Any) -> Any:
    """So many numbers of a row with what fills its last vectors, as many as are multiplied at a time."""
    whole = widest(kind) * int(lanes(kind))
    return (numbers + (whole - 1)) // whole * whole


def slopes_room(kind: Any, depth: Any, width: Any) -> Any:
    """How many numbers of scratch a panel and a block take."""
    queries = widest(kind) * int(lanes(kind))
    rows = queries + KEYS + tile_rows(kind)
    own = (
        width * queries + 2 * scores_room(kind, queries) + rows * (padded(kind, depth) + padded(kind, width))
    )
    return room(kind, depth, width, widest(kind)) + own


class SlopePanel(Panel):
    """Neighbouring queries of a head, with the slopes of their results."""

    def __init__(
        self, kind: Any, call: Call, slopes: Slopes, batch: Any, head: Any, query: Any, scratch: Any
    ) -> None:
        super().__init__(kind, call, widest(kind), batch, head, query, scratch)
        self._slopes, size, row = slopes, itemsize(self._work), self.block().row
        queries = widest(kind) * int(lanes(kind))
        self._dout = scratch + room(kind, call.depth, call.width, widest(kind)) * size
        self.dscores = self._dout + call.width * row
        self._bends = self.dscores + scores_room(kind, queries) * size
        self._rows = self._bends + scores_room(kind, queries) * size
        self.blocks = self._rows + queries * (padded(kind, call.depth) + padded(kind, call.width)) * size

    @property
    def terms(self) -> Any:
        """Where the probabilities lie."""
        return self._scratch.scores

    def _lay_out(self, dst: Any, place: Any, row: Any) -> None:
        step = self._call.width.constant(self.block().row)
        transpose(self._kind, dst, step, place, row, self._queries, self._call.width, padded=True)

    def pack(self) -> None:
        super().pack()
        self._lay_out(self._dout, self.row_of(self._slopes, "dout"), self._slopes.dout_row)

    def write_delta(self) -> None:
        """Σ dout · out − (the slope of the log-sum), in float64."""
        call, block, work = self._call, self.block(), self._work
        self._lay_out(self.values, self.row_of(call, "out"), call.out_row)
        self._lay_out(self._dout, self.row_of(self._slopes, "dout"), self._slopes.dout_row)
        zero = widen(full(work, 0.0))
        totals = [Variable(zero) for _ in range(self._vectors)]
        with loop(0, call.width) as d:
            pairs = zip(block.load(self._dout, d), block.load(self.values, d), strict=True)
            for total, (dout, out) in zip(totals, pairs, strict=True):
                total.value += widen(dout) * widen(out)
        with when(self._slopes.dlog_sums != 0):
            for total, slope in zip(totals, self._of_each(self._slopes.dlog_sums), strict=True):
                total.value = total.value - widen(slope)
        self._write_each(self._slopes.delta, [narrow(full(work, 0.0), total.value) for total in totals])

    def slopes_of_scores(self, keys: Rows, block: Block) -> None:
        """Write the probabilities of a block of keys, and the slopes of their scores."""
        call, softcap = self._call, self._call.softcap
        self.write_scores(keys, block)
        with when(softcap > 0.0), loop(0, block.count) as key:
            shares = [score / splat(score, softcap) for score in block.load(self.terms, key)]
            block.store(self._bends, key, [1.0 - share * share for share in shares])
        self.hide(block)
        bases = [base_below(log_sum) for log_sum in self._of_each(call.log_sums)]
        deltas, taken = self._of_each(self._slopes.delta), tile_rows(self._work)
        values = self.near_values(block)
        with loop(0, block.count, taken) as first:
            few = minimum(block.count - first, taken)
            sums = multiply(self._work, values.at(first), few, self._dout, self._vectors, call.width)
            for i, of_key in enumerate(sums):
                block.store(self.dscores, first + i, of_key)
        with loop(0, block.count) as key:
            scored = zip(block.load(self.terms, key), bases, strict=True)
            terms = [exp_below_maximum(score - base) for score, base in scored]
            block.store(self.terms, key, terms)
            sloped = zip(terms, block.load(self.dscores, key), deltas, strict=True)
            # what does not take part has no slope, whatever its value is
            dscores = [where(p == 0.0, 0.0, p * (dp - delta)) for p, dp, delta in sloped]
            block.store(self.dscores, key, dscores)
        with when(softcap > 0.0), loop(0, block.count) as key:
            bent = zip(block.load(self.dscores, key), block.load(self._bends, key), strict=True)
            block.store(self.dscores, key, [ds * bend for ds, bend in bent])

    def slope_of_queries(self) -> None:
        """Write dq of the panel."""
        call, slopes, block = self._call, self._slopes, self.block()
        with loop(0, call.depth) as d:
            block.store(self.values, d, [full(self._work, 0.0)] * self._vectors)
        begin, end = self.band()
        with loop(begin, end, KEYS) as first:
            some = self.block(first, minimum(call.keys - first, KEYS))
            keys = self.near_keys(some)
            self.slopes_of_scores(keys, some)
            add_products(self.values, keys.turned, call.depth, self.dscores, some, None)
        with loop(0, call.depth) as d:
            block.store(self.values, d, [x * splat(x, call.scale) for x in block.load(self.values, d)])
        self._write(self.row_of(slopes, "dq"), slopes.dq_row, call.depth)

    def add_slopes_of_keys(self, dk: Any, dv: Any, block: Block) -> None:
        """Add what the panel gives to the slopes of a block of keys and of their values, padded rows each."""
        call, slopes, work = self._call, self._slopes, self._work
        self.slopes_of_scores(self.near_keys(block), block)
        row = self._copy_rows(self.row_of(call, "q"), call.q_row, call.depth)
        with loop(0, self._queries) as i, loop(0, row, vector_bytes(work)) as at:
            x = load(work, self._rows + i * row + at)
            store(work, self._rows + i * row + at, x * splat(x, call.scale))
        self._add_rows(dk, row, self.dscores, block)
        row = self._copy_rows(self.row_of(self._slopes, "dout"), slopes.dout_row, call.width)
        self._add_rows(dv, row, self.terms, block)

    def _copy_rows(self, source: Any, source_row: Any, numbers: Any) -> Any:
        """The panel's rows in the computing type, padded; how long they are in bytes."""
        row = padded(self._kind, numbers) * itemsize(self._work)
        with loop(0, self._queries) as i:
            convert_row(self._work, self._rows + i * row, self._kind, source + i * source_row, numbers)
        return row

    def _add_rows(self, sums: Any, row: Any, terms: Any, block: Block) -> None:
        """sums[key] += Σ terms[key, query] · rows[query]."""
        work, taken, vectors = self._work, tile_rows(self._work), self._vectors
        keys = Rows.side_by_side(work, terms, self._query.constant(block.row))
        with loop(0, row, vectors * vector_bytes(work)) as at, loop(0, block.count, taken) as first:
            place = sums + first * row + at
            begin = [[load(work, place + i * row, j) for j in range(vectors)] for i in range(taken)]
            few = minimum(block.count - first, taken)
            own = keys.at(first)
            totals = multiply(work, own, few, self._rows + at, vectors, self._queries, begin, row)
            for i, of_key in enumerate(totals):
                for j, total in enumerate(of_key):
                    store(work, place + i * row, total, j)
