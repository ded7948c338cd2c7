"""Which classes filters leave of rows that lie in blocks: those down to a number that is found from all of them.

top_k leaves the numbers down to the k-th best, of equals those up to its index; min_p those from a bound below the
maximum on. Both leave the beginning of a row as it is sorted, whatever their order. What top_p leaves would need the
mass of all that is better.
"""

from typing import Any

import dask.array as da
import numpy as np

from ..arrays.addresses import Array
from ..compile.arithmetic import own_arithmetic
from ..sampling.filters import MIN_P, TOP_K, Filters
from .hardmax import first_best
from .tasks import Tree, again, all_axes, of_blocks, starts, task
from .topk import best


def filtered(name: str, x: da.Array, filters: Filters, tree: Tree, recompute: bool) -> da.Array:
    """`x` with −inf for what filters leave out, the classes along its last axis."""
    axis = x.ndim - 1
    plan = filters.plan(x.shape[axis])[1:].reshape(-1, 3)
    steps = [(int(code), float(amount)) for code, amount, _ in plan]
    if any(code not in (TOP_K, MIN_P) for code, _ in steps):
        message = (
            f"{name} takes top_p where the classes lie in one chunk (got chunks {x.chunks[axis]}); pass "
            "logits.rechunk({axis: -1}), or top_k or min_p"
        )
        raise ValueError(message)
    counts, bounds = ([amount for code, amount in steps if code == wanted] for wanted in (TOP_K, MIN_P))
    if not steps:
        return x
    worst = None
    if counts:
        places = best(name, x, axis, int(min(counts)), tree)
        worst = of_blocks(_last, places, dtype=places.dtype, axes=(axis,))
    top = first_best(name, x, (axis,), None, tree) if bounds else None
    facts = [each for each in (worst, top) if each is not None]
    return of_blocks(
        _left,
        again(x, facts, recompute),
        (worst, all_axes(x)),
        (top, all_axes(x)),
        (starts(x, axis), (axis,)),
        dtype=x.dtype,
        below=max(bounds, default=0.0),
    )


@task
def _last(records: Array) -> Array:
    return records[..., -1:]


@task
def _left(block: Array, worst: Array | None, top: Array | None, begin: Array, below: float) -> Array:
    """A block without what is worse than its row's worst, or than a bound below its row's best; NaN are left."""
    with own_arithmetic():
        out: Any = False
        if worst is not None:
            value = np.ascontiguousarray(worst["value"])
            behind = np.arange(block.shape[-1]) + begin[0] > worst["index"]
            out = (block < value) | ((block == value) & behind)
        if top is not None:
            bound = np.ascontiguousarray(top["value"]).astype(np.float64) + below
            out |= block.astype(np.float64) < bound
        return np.where(out, block.dtype.type(-np.inf), block)
