"""Attention spread over threads, a few panels of queries at a time."""

from functools import cache
from typing import Any

import numpy as np

from ..arrays.addresses import Array, address, first_number
from ..arrays.operators import LANES
from ..compile.kernels import Kernels
from ..compile.threads import run
from ..rowwise.kernels import over_pieces
from ..vector import lanes, loop, minimum
from .call import ADDED, BOOL, NONE, Call, in_memory, read
from .inputs import Heads, Options
from .queries import Panel, room
from .scores import widest

# So many products take as long as a number of a softmax, by which `threads` counts.
_PRODUCTS_A_NUMBER = 30.0
# A piece of the work is so many queries, which panels of every width divide.
_QUERIES = 32


def _panel_by_panel(kind: Any, call: Call, vectors: int, first: Any, last: Any, scratch: Any) -> None:
    """Pieces of queries, those of a head behind one another."""
    pieces, width = (call.queries + (_QUERIES - 1)) // _QUERIES, vectors * int(lanes(kind))
    with loop(first, last) as piece:
        place, start = piece // pieces, piece % pieces * _QUERIES
        with loop(start, minimum(start + _QUERIES, call.queries), width) as query:
            panel = Panel(kind, call, vectors, place // call.heads, place % call.heads, query, scratch)
            panel.pack()
            running = panel.start(panel.sinks())
            panel.walk(running, *panel.band())
            panel.finish(running)


@cache
def _over_queries(*, few: bool) -> Kernels:
    """The kernels for `few` queries, one vector of them, or many."""

    def vectors(kind: Any) -> int:
        return 1 if few else widest(kind)

    def numbers(kind: Any, call: Any) -> Any:
        told = read(Call, call)
        return room(kind, told.depth, told.width, vectors(kind))

    def panels(
        kind: Any, dst: Any, call: Any, stage: Any, first: Any, last: Any, n: Any, scratch: Any
    ) -> None:
        _panel_by_panel(kind, read(Call, call), vectors(kind), first, last, scratch)

    return over_pieces(panels, numbers)


def call_of(
    heads: Heads, options: Options, result: Array, log_sums: Array | None, lengths: Array | None = None
) -> Array:
    q, k, v = heads
    mask = options.mask
    steps = [step for x in (q, k, v, result) for step in (first_number(x), *x.strides[:3])]
    masked = [0, 0, 0, 0, NONE]
    if mask is not None:
        masked = [first_number(mask), *mask.strides[:3], BOOL if mask.dtype == np.bool_ else ADDED]
    sizes = [q.shape[1], q.shape[1] // k.shape[1], q.shape[2], k.shape[2], q.shape[3], v.shape[3]]
    places = [0 if x is None else address(x) for x in (options.sink, lengths, log_sums)]
    told: list[Any] = [*sizes, *options.band, *steps, *masked, *places, options.scale, options.softcap]
    return in_memory(Call(*told))


def work_of(heads: Heads) -> float:
    """How much is to be done, in numbers of a softmax."""
    q, k, v = heads
    batch, count, queries, depth = q.shape
    products: int = batch * count * queries * k.shape[2] * (depth + v.shape[3])
    return products / _PRODUCTS_A_NUMBER


def attend(heads: Heads, options: Options, result: Array, log_sums: Array | None) -> None:
    """Write the result, and the log-sums where they are asked for."""
    q = heads.q
    batch, count, queries, _ = q.shape
    pieces = batch * count * -(-queries // _QUERIES)
    if pieces == 0:
        return
    call = call_of(heads, options, result, log_sums)
    kernels = _over_queries(few=queries <= LANES[q.itemsize])
    run(kernels[q.dtype], work_of(heads), pieces, 0, address(call), pieces, 1)
