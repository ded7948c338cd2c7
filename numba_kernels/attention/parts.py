"""Few queries and many keys: each part of the keys by itself, and what they came to put together in their order."""

from typing import Any

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.operators import LANES
from ..compile.jit import helper, keep_alive
from ..compile.kernels import in_stages
from ..compile.threads import run
from ..rowwise.kernels import new_scratch
from ..vector import compute_kind, full, lanes, load, loop, minimum, store, traced, vector_bytes, when, where
from ..vector.memory import read as read_vector
from ..vector.memory import write
from .call import Call, read
from .forward import call_of, work_of
from .inputs import Heads, Options, computing_type
from .queries import Panel, room
from .scores import KEYS

# A part is so many keys: whole blocks.
_KEYS = 10 * KEYS


def _kept_bytes(work: Any, width: Any) -> Any:
    """What is kept of a part: a vector of queries for each number of the values, the maxima, the sums in two parts."""
    return (width + 1) * vector_bytes(work) + 2 * int(lanes(work)) * 8


def _keep(panel: Panel, running: Any, call: Call, place: Any) -> None:
    block = panel.block()
    work, real = block.work, place.constant(0.0, types.float64)
    with loop(0, call.width) as d:
        block.store(place, d, block.load(panel.values, d))
    behind = place + call.width * block.row
    store(work, behind, running.maxima[0])
    for part, total in enumerate(running.parts[0]):
        write(real, behind + vector_bytes(work) + part * (int(lanes(work)) * 8), total)


def _take_kept(panel: Panel, running: Any, call: Call, place: Any) -> None:
    block = panel.block()
    work, real, width = block.work, place.constant(0.0, types.float64), int(lanes(block.work))
    behind = place + call.width * block.row
    parts = [read_vector(real, behind + vector_bytes(work) + part * (width * 8), width) for part in range(2)]
    (own,), (theirs,) = running.merge([load(work, behind)], [tuple(parts)])
    with loop(0, call.width) as d:
        (mine,), (other,) = block.load(panel.values, d), block.load(place, d)
        block.store(panel.values, d, [mine * own + other * theirs])


@traced
def _parts_room(kind: Any, call: Any) -> Any:
    told = read(Call, call)
    return room(kind, told.depth, told.width, 1)


@traced
def _parts(
    kind: Any, call: Any, kept: Any, stage: Any, first: Any, last: Any, parts: Any, scratch: Any
) -> None:
    """Stage 0: each part of the keys; stage 1: whoever has the first part of a head puts all of them together."""
    told = read(Call, call)
    size = _kept_bytes(compute_kind(kind), told.width)
    with loop(first, last) as piece:
        place, part = piece // parts, piece % parts
        panel = Panel(kind, told, 1, place // told.heads, place % told.heads, first.constant(0), scratch)
        begin, end = panel.keys + told.low, panel.keys
        begin = where(begin > 0, begin, 0)
        with when(stage == 0) as otherwise:
            panel.pack()
            running = panel.start([full(compute_kind(kind), -np.inf)])
            start = begin + part * _KEYS
            panel.walk(running, start, minimum(start + _KEYS, end), masked=False)
            _keep(panel, running, told, kept + piece * size)
        with otherwise, when(part == 0):
            running = panel.start([panel.sink_of_each()])
            with loop(0, parts) as each:
                _take_kept(panel, running, told, kept + (piece + each) * size)
            panel.finish(running)


@helper
def _lines_in_parts(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, n: Any) -> Any:
    owner, scratch = new_scratch(_parts_room(kind, src), kind)
    _parts(kind, src, dst, stage, first, last, n, scratch)
    keep_alive(owner)


_IN_PARTS = in_stages(_lines_in_parts, 2, 1.0, lambda n, inner: 1)


def attend_in_parts(
    heads: Heads, options: Options, result: Array, lengths: Array, log_sums: Array | None
) -> None:
    """Write the result for no more queries than a vector has lanes, all of which look at the last keys of a batch.

    At ``-options.band[0]`` of its `lengths`; ``options.sink`` is one for each query, and there is no mask.
    """
    q = heads.q
    batch, count, _, _ = q.shape
    looked_at = min(heads.k.shape[2], -options.band[0])
    parts = max(-(-looked_at // _KEYS), 1)
    pieces = batch * count * parts
    if pieces == 0:
        return
    call = call_of(heads, options, result, log_sums, lengths)
    width = LANES[q.itemsize]
    size = (heads.v.shape[3] + 1) * width * computing_type(q).itemsize + 2 * width * 8
    kept = np.empty(pieces * size, np.uint8)
    run(_IN_PARTS[q.dtype], work_of(heads), pieces, address(kept), address(call), pieces, parts)
