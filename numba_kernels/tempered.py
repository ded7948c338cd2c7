"""softmax and log_softmax of x / temperature, over the numbers that a mask leaves.

x / T is nowhere rounded to the dtype of x: (x − max) / T is taken in float64, for float64 with what the difference and
the quotient round off.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from .arrays import Array, address, as_floats, check_axis, check_out
from .exp_below import exp_of_pair, exp_of_pair_raised
from .gather import block_of, gather, line_at, places_of, run_writing, scatter, writing
from .jit import helper, over_rows
from .lines import keep, new_scratch
from .log import log1p_vector
from .log_sums import add_other, only_finite, others
from .memory import load, load_first, load_number, store, store_first, store_number
from .rows import maximum
from .simd import computing, fma, fma_exact, itemsize, lanes, narrow, splat, where, widen
from .sums import reciprocal, two_sum
from .trace import traced


@traced
def _quotient(x: Any, m: Any, options: Any) -> Any:
    """(x − m) / T in float64 as a pair; `options` is the address of T and of a factor for x and m, 1 or 1/2."""
    real = x.constant(0.0, types.float64)
    temperature = load_number(real, options)
    if x.scalar == types.float32:
        d = widen(x) - widen(m)
        return d / temperature, splat(d, 0.0)
    factor = load_number(real, options + 8)
    d, lost = two_sum(x * factor, 0.0 - m * factor)
    quotient = d / temperature
    return quotient, (fma_exact(0.0 - quotient, temperature, d) + lost) / temperature


@helper
def _sum_of_others(kind: Any, at: Any, n: Any, m: Any, options: Any) -> Any:
    """Σ exp((x − m) / T) without the maximum's own term, as `log_sums.sum_of_others`."""
    size, step = itemsize(kind), lanes(kind)
    m_v = splat(load_first(kind, at, 0, 0.0), m)
    top, zero = only_finite(m_v), widen(splat(m_v, 0.0))
    total, lost, tops = zero, zero, zero
    for i in range(0, n, step):
        x = load(kind, at + i * size) if n - i >= step else load_first(kind, at + i * size, n - i, -np.inf)
        quotient, rest = _quotient(x, m_v, options)
        total, lost, tops = add_other(total, lost, tops, x, top, exp_of_pair_raised(quotient, rest))
    return others(total, lost, tops)


@helper
def _softmax_row(kind: Any, to: Any, at: Any, n: Any, options: Any) -> Any:
    size, step = itemsize(kind), lanes(kind)
    m = maximum(kind, at, n)
    high, low = _sum_of_others(kind, at, n, m, options)
    total, error = two_sum(1.0, high)
    first, second = reciprocal(0.0, total, error + low)
    m_v = splat(load_first(kind, at, 0, 0.0), m)
    first_v, second_v = splat(widen(m_v), first), splat(widen(m_v), second)
    for i in range(0, n, step):
        x = load(kind, at + i * size) if n - i >= step else load_first(kind, at + i * size, n - i, 0.0)
        quotient, rest = _quotient(x, m_v, options)
        e = exp_of_pair(quotient, rest)
        p = narrow(x, fma(e, first_v, e * second_v))
        if n - i >= step:
            store(kind, to + i * size, p)
        else:
            store_first(kind, to + i * size, p, n - i)


@helper
def _log_softmax_row(kind: Any, to: Any, at: Any, n: Any, options: Any) -> Any:
    size, step = itemsize(kind), lanes(kind)
    m = maximum(kind, at, n)
    high, low = _sum_of_others(kind, at, n, m, options)
    m_v = splat(load_first(kind, at, 0, 0.0), m)
    log_of_sum = splat(widen(m_v), log1p_vector(high, low))
    for i in range(0, n, step):
        x = load(kind, at + i * size) if n - i >= step else load_first(kind, at + i * size, n - i, 0.0)
        quotient, rest = _quotient(x, m_v, options)
        # of −inf the rest is NaN
        rest = where(quotient == splat(quotient, -np.inf), splat(rest, 0.0), rest)
        result = narrow(x, (quotient - log_of_sum) + rest)
        if n - i >= step:
            store(kind, to + i * size, result)
        else:
            store_first(kind, to + i * size, result, n - i)


def _unmasked(row: Any) -> tuple[Any, Any]:
    """The kernels of a row helper for lines without a mask."""

    @helper
    def line(kind: Any, to: Any, at: Any, src: Any, index: Any, n: Any) -> Any:
        row(kind, to, at, n, src[4])

    return writing(line)


def _masked(row: Any, left_out: float) -> tuple[Any, Any]:
    """The kernels of a row helper for lines with a mask; what it leaves out is `left_out`."""

    @helper
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
        work = computing(kind)
        block, wide = block_of(kind, n), itemsize(work)
        owner, scratch = new_scratch(block * n, kind)
        mask = src[5:9]
        for start in range(first, last, block):
            count = min(block, last - start)
            gather(kind, scratch, src, start, count, n)
            for j in range(count):
                at, bytes_at = scratch + j * n * wide, line_at(mask, start + j)
                left = 0
                for k in range(n):
                    if load_number(np.uint8(0), bytes_at + k * mask[3]) == 0:
                        store_number(work, at + k * wide, -np.inf)
                    else:
                        left += 1
                if left:
                    row(work, at, at, n, src[4])
                for k in range(n):
                    if load_number(np.uint8(0), bytes_at + k * mask[3]) == 0:
                        store_number(work, at + k * wide, left_out)
            scatter(kind, dst, scratch, start, count, n)
        keep(owner)

    return over_rows(lines)


_KERNELS = {
    "softmax": (_unmasked(_softmax_row), _masked(_softmax_row, 0.0)),
    "log_softmax": (_unmasked(_log_softmax_row), _masked(_log_softmax_row, -math.inf)),
}


def _checked_temperature(name: str, temperature: Any) -> float:
    """The temperature as a positive finite float."""
    known = isinstance(temperature, (int, float, np.integer, np.floating))
    if not known or not 0 < temperature < math.inf:
        message = f"{name} takes a temperature above 0 and finite, as a float (got {temperature!r})"
        raise ValueError(message)
    return float(temperature)


def _checked_mask(name: str, mask: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """The mask in the shape of x, not copied."""
    given = np.asarray(mask)
    if given.dtype != np.bool_:
        message = (
            f"{name} takes a where of bool (got {given.dtype}); compare, or convert with where.astype(bool)"
        )
        raise TypeError(message)
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        message = (
            f"{name} takes a where that broadcasts to the shape of x, {shape} (got {given.shape}); "
            "add axes of length 1"
        )
        raise ValueError(message) from None


def tempered(
    name: str,
    given: npt.ArrayLike,
    axis: int,
    temperature: float,
    mask: npt.ArrayLike | None,
    out: Array | None,
) -> Array:
    """softmax or log_softmax, by `name`, of given / temperature where the mask is set."""
    x = as_floats(name, given)
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    degrees = _checked_temperature(name, temperature)
    wanted = None if mask is None else _checked_mask(name, mask, x.shape)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    # above 1 halves are taken, so that the difference of two float64 numbers does not overflow
    options = np.array([degrees / 2, 0.5] if degrees > 1 else [degrees, 1.0])
    if x.dtype.itemsize < 8:
        # nor does the quotient: numbers that differ at all differ by 2⁻¹⁴⁹ or more
        options[0] = max(degrees, 1e-200)
    plain, masked = _KERNELS[name]
    if wanted is None:
        return run_writing(plain, x, axis, out, address(options))
    places, offsets = places_of(wanted, axis)
    result = run_writing(masked, x, axis, out, address(options), *places)
    del offsets  # the kernels read them until here
    return result
