"""What does not take part: scores outside the band of a causal rule or a window, and those that a mask hides."""

from typing import Any

import numpy as np
from numba import types

from ..products.transpose import transpose
from ..vector import (
    Variable,
    bits,
    full,
    itemsize,
    lane_index,
    lanes,
    load_scalar,
    loop,
    splat,
    store,
    store_scalar,
    when,
    where,
)
from ..vector.memory import read
from .call import ADDED, BOOL, Call
from .scores import KEYS, Block


def hide_outside_band(dst: Any, low: Any, high: Any, block: Block) -> None:
    """−inf for keys j that are not within ``query + low <= j <= query + high``."""
    end = block.first + block.count
    beyond = end - 1 > block.query + high
    before = block.first < block.query + (block.queries - 1) + low
    with when(beyond | before), loop(0, block.count) as i:
        key, scores = block.first + i, block.load(dst, i)
        shown = []
        for j, score in enumerate(scores):
            query = lane_index(score) + splat(bits(score), block.query + j * int(lanes(block.work)))
            hidden = (query > splat(query, key - low)) | (query < splat(query, key - high))
            shown.append(where(hidden, -np.inf, score))
        block.store(dst, i, shown)


def mask_room(queries: int) -> int:
    """How many numbers of scratch the mask of a block takes."""
    return 2 * KEYS * queries


def hide_masked(dst: Any, mask: Any, call: Call, scratch: Any, block: Block) -> None:
    """Add what is added to scores, and −inf for keys that a mask hides; `mask` is that of the panel's first query."""
    work, size = block.work, itemsize(block.work)
    by_query, by_key = scratch, scratch + KEYS * block.row
    with when(call.mask_kind == BOOL):
        row = block.count.constant(KEYS * size)
        with loop(0, block.queries) as query:
            _spread(work, by_query + query * row, mask + query * call.mask_row + block.first, block.count)
        transpose(work, by_key, _step(block), by_query, row, block.queries, block.count, padded=True)
    with when(call.mask_kind == ADDED):
        source = mask + block.first * size
        transpose(work, by_key, _step(block), source, call.mask_row, block.queries, block.count, padded=True)
    with loop(0, block.count) as key:
        scores, masks = block.load(dst, key), block.load(by_key, key)
        shown = [where(m == -np.inf, -np.inf, score + m) for score, m in zip(scores, masks, strict=True)]
        block.store(dst, key, shown)


def _step(block: Block) -> Any:
    return block.count.constant(block.row)


def _spread(work: Any, dst: Any, src: Any, count: Any) -> None:
    """Bytes as numbers: 0 where one is set, −inf where not."""
    width, one = int(lanes(work)), count.constant(0, types.uint8)
    zero = full(work, 0.0)
    with loop(0, count // width) as i:
        store(work, dst, where(read(one, src + i * width, width) != 0, zero, -np.inf), i)
    with loop(count // width * width, count) as i:
        number = Variable(work)
        number.value = where(load_scalar(one, src + i) != 0, work.constant(0.0), -np.inf)
        store_scalar(work, dst + i * itemsize(work), number.value)
