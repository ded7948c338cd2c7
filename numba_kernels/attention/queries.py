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
from .scores import KEYS, Block, panel_vectors, scores_room, write_scores


def panel_queries(kind: Any) -> int:
    """How many queries a panel has."""
    return panel_vectors(kind) * int(lanes(kind))


def room(kind: Any, depth: Any, width: Any) -> Any:
    """How many numbers of scratch a panel takes."""
    taken, queries = tile_rows(kind), panel_queries(kind)
    widened = KEYS * (depth + width) if is_half(kind) else 0
    return (depth + 2 * (width + taken)) * queries + scores_room(kind) + mask_room(kind) + widened


class Scratch:
    """Where in the scratch each thing lies."""

    def __init__(self, kind: Any, address: Any, call: Call) -> None:
        size, queries = itemsize(compute_kind(kind)), panel_queries(kind)
        self.panel = address
        self.values = self.panel + call.depth * (queries * size)
        self.result = self.values + (call.width + tile_rows(kind)) * (queries * size)
        self.scores = self.result + (call.width + tile_rows(kind)) * (queries * size)
        self.mask = self.scores + scores_room(kind) * size
        self.keys = self.mask + mask_room(kind) * size
        self.widened = self.keys + call.depth * (KEYS * size)


def attend(kind: Any, call: Call, batch: Any, head: Any, query: Any, address: Any) -> None:
    """The result for the panel of queries that begins with query `query` of a head."""
    work, scratch = compute_kind(kind), Scratch(kind, address, call)
    shared = head // call.shared
    queries = minimum(call.queries - query, panel_queries(kind))
    keys = Rows.side_by_side(kind, call.k + batch * call.k_batch + shared * call.k_head, call.k_row)
    values = Rows.side_by_side(kind, call.v + batch * call.v_batch + shared * call.v_head, call.v_row)
    mask = call.mask + batch * call.mask_batch + head * call.mask_head + query * call.mask_row

    _pack(kind, scratch.panel, call, batch, head, query, queries)
    empty = Block(work, query, query, query, queries)
    sink = Variable(work.constant(-np.inf, work.type))
    with when(call.sink != 0):
        sink.value = load_scalar(work, call.sink + head * itemsize(work))
    running = Running(empty, sink.value)
    with loop(0, call.width) as d:
        empty.store(scratch.values, d, [full(work, 0.0)] * empty.vectors)

    begin = maximum(query + call.low, 0) // KEYS * KEYS
    end = minimum(query + (queries - 1) + call.high + 1, call.keys)
    with loop(begin, end, KEYS) as first:
        block = Block(work, first, minimum(call.keys - first, KEYS), query, queries)
        near_keys = _near(kind, scratch.keys, keys.at(first), block, call.depth)
        write_scores(scratch.scores, near_keys, scratch.panel, call.depth, call.softcap, block)
        with when(call.mask_kind != NONE):
            hide_masked(scratch.scores, mask, call, scratch.mask, block)
        hide_outside_band(scratch.scores, call.low, call.high, block)
        factors = running.take(scratch.scores, block)
        near_values = _near(kind, scratch.widened, values.at(first), block, call.width)
        _add_values(scratch, near_values, factors, call.width, block)
    _finish(kind, scratch, running, call, batch, head, empty)


def _pack(kind: Any, dst: Any, call: Call, batch: Any, head: Any, query: Any, queries: Any) -> None:
    work = compute_kind(kind)
    panel = Block(work, query, query, query, queries)
    source = call.q + batch * call.q_batch + head * call.q_head + query * call.q_row
    step = query.constant(panel.row)
    transpose(kind, dst, step, source, call.q_row, queries, call.depth, padded=True)
    with loop(0, call.depth) as d:
        panel.store(dst, d, [x * splat(x, call.scale) for x in panel.load(dst, d)])


def _near(kind: Any, dst: Any, rows: Rows, block: Block, depth: Any) -> Rows:
    """The block's rows in the computing type: where they lie, halves in the scratch."""
    if not is_half(kind):
        return rows
    step = depth * itemsize(block.work)
    with loop(0, block.count) as i:
        convert_row(block.work, dst + i * step, kind, rows.address + i * rows.row, depth)
    return Rows.side_by_side(block.work, dst, step)


def _add_values(scratch: Scratch, values: Rows, factors: list[Any], width: Any, block: Block) -> None:
    """sums = sums · factor + Σ value · term, for a few numbers of the values at a time."""
    work, taken = block.work, tile_rows(block.work)
    # number d of the values is a row of the product, whose depth are the keys
    numbers = Rows(values.kind, values.address, values.step, values.row)
    with loop(0, width, taken) as d:
        so_far = [
            [total * factor for total, factor in zip(block.load(scratch.values, d + i), factors, strict=True)]
            for i in range(taken)
        ]
        count = minimum(width - d, taken)
        sums = multiply(work, numbers.at(d), count, scratch.scores, block.vectors, block.count, so_far)
        for i, of_number in enumerate(sums):
            block.store(scratch.values, d + i, of_number)


def _finish(
    kind: Any, scratch: Scratch, running: Running, call: Call, batch: Any, head: Any, panel: Block
) -> None:
    """Divide, and write what was asked for; 0 for a query that no key takes part for."""
    work, queries = panel.work, panel.queries
    divisors = [narrow(full(work, 0.0), total) for total in running.sums]
    with loop(0, call.width) as d:
        results = [
            where(divisor == 0.0, 0.0, total / divisor)
            for total, divisor in zip(panel.load(scratch.values, d), divisors, strict=True)
        ]
        panel.store(scratch.values, d, results)
    place = call.out + batch * call.out_batch + head * call.out_head + panel.query * call.out_row
    step = queries.constant(panel.row)
    if is_half(kind):
        row = call.width * itemsize(work)
        transpose(work, scratch.result, row, scratch.values, step, call.width, queries)
        with loop(0, queries) as i:
            convert_row(kind, place + i * call.out_row, work, scratch.result + i * row, call.width)
    else:
        transpose(work, place, call.out_row, scratch.values, step, call.width, queries)
    with when(call.log_sums != 0):
        at = call.log_sums + ((batch * call.heads + head) * call.queries + panel.query) * itemsize(work)
        width = int(lanes(work))
        for j, (top, total) in enumerate(zip(running.maxima, running.sums, strict=True)):
            log_sum = widen(top) + log1p_vector(total - 1.0, splat(total, 0.0))
            log_sum = where(total == 0.0, -np.inf, log_sum)
            count = minimum(maximum(queries - j * width, 0), width)
            store_partial(work, at + j * width * itemsize(work), narrow(top, log_sum), count)
