"""The scaled exponentials of a row, exp(x) times a power of two that follows from its maximum, and their sum."""

from collections.abc import Callable
from typing import Any

from numba import types

from ..numerics.exp import exact_shift, exp_scaled_exactly, exp_scaled_pair, exponent_shift, traits_of
from ..numerics.exp_table import table_shift
from ..numerics.sums import AnchoredSum, LaneSums
from ..vector import (
    CHUNK,
    Variable,
    all_set,
    bits,
    chunk_scratch,
    compute_kind,
    extract,
    itemsize,
    lanes,
    load,
    loop,
    minimum,
    prefetch,
    splat,
    store,
    vector_bytes,
    when,
    where,
)
from .exponentials32 import exponentials32
from .rows import last_lanes, last_vector


def base_and_cut(m: Any) -> Any:
    """What a row with maximum `m` needs: (base to subtract, the lowest x − base that counts, m − base).

    Of a maximum beyond `big` the subtraction is exact for every x that counts; of others none is made.
    """
    traits = traits_of(m.scalar)
    base = where(m > traits.big, m, where(m < -traits.big, m, 0.0))
    top = m - base
    return base, top - traits.cut, top


def largest_term(m: Any) -> Any:
    """The scaled exponential of a row's maximum, and what it is off by.

    Put right in the sum and in the result, or else its error would add to that of every other probability.
    """
    _, _, top = base_and_cut(m)
    return exp_scaled_exactly(top, exponent_shift(top))


def row_shift(top: Any) -> Any:
    """What the exponentials of rows are scaled by, from their maxima less `base`; see `base_and_cut`."""
    return table_shift(top) if top.scalar == types.float32 else exact_shift(top)


def exp_above_cut(x: Any, base: Any, cut: Any, shift: Any) -> Any:
    """exp(x) scaled by the row's exponent, and what its last step rounds off; exactly 0 where x − base < cut."""
    x = x - base
    return tuple(where(x < cut, 0.0, part) for part in exp_scaled_pair(x, shift))


def _exponential(x: Any, shift: Any, base: Any, cut: Any) -> Any:
    shift = splat(bits(x), shift)
    if base is None:
        return exp_scaled_pair(x, shift)
    base, cut, zero = splat(x, base), splat(x, cut), splat(x, 0.0)
    # where a row is spread wide, most vectors hold nothing that counts
    e = Variable(zero, zero)
    with when(~all_set(x - base < cut)):
        e.value = exp_above_cut(x, base, cut, shift)
    return e.value


def exponentials(
    kind: Any, to: Any, src: Any, n: Any, ahead: Any, shift: Any, base: Any = None, cut: Any = None
) -> AnchoredSum | LaneSums:
    """Write the scaled exponentials of a part of a row, of at least one vector; their sum.

    `shift` is what `row_shift` gives.
    With `base` and `cut` (see `base_and_cut`) anything may be in it; without, what needs neither. `to` is of the
    computing type and may be `src`. What lies `ahead` bytes further is wanted next.

    In two loops over a chunk of the row that stays in the nearest cache: one loop holds too many values at once for the
    registers, and its chain of sums waits for the exponentials.
    """
    work, width = compute_kind(kind), lanes(kind)
    if work.type == types.float32:
        return exponentials32(kind, to, src, n, ahead, shift, base, cut)
    vectors = n // width
    # it overlaps the vector before it, so it is read before anything is written
    last = last_vector(kind, src, n)
    total = AnchoredSum(last)
    with loop(0, vectors, CHUNK) as first:
        end, errors = minimum(first + CHUNK, vectors), Variable(splat(last, 0.0))
        with loop(first, end) as i:
            at = src + i * vector_bytes(kind)
            x = load(kind, at)
            prefetch(at + ahead)
            e, error = _exponential(x, shift, base, cut)
            store(work, to, e, i)
            errors.value += error
        total.add_chunk(work, to, first, end, errors.value)
    with when(n % width != 0):
        e, error = _exponential(last, shift, base, cut)
        store(work, to + (n - width) * itemsize(work), e)
        total.add(last_lanes(e, n % width), last_lanes(error, n % width))
    return total


def sum_in_chunks(
    kind: Any, src: Any, stride: Any, count: Any, like: Any, term: Callable[[Any], Any], ahead: Any = None
) -> AnchoredSum:
    """The sum, lane by lane, of what ``term(x)`` gives for vectors, and what that is off by.

    The vectors are like `like` and lie `stride` bytes apart. In two loops over a chunk, as in `exponentials`; the terms
    lie in a scratch meanwhile.
    """
    work = extract(like, 0)
    scratch, total = chunk_scratch(work, src), AnchoredSum(like)
    with loop(0, count, CHUNK) as first:
        end, errors = minimum(first + CHUNK, count), Variable(splat(like, 0.0))
        with loop(first, end) as i:
            at = src + i * stride
            if ahead is not None:
                prefetch(at + ahead)
            e, error = term(load(kind, at))
            store(work, scratch, e, i - first)
            errors.value += error
        total.add_chunk(work, scratch - first * vector_bytes(work), first, end, errors.value)
    return total
