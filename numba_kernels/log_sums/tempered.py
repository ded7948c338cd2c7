"""softmax and log_softmax of x / temperature, over the numbers that a mask leaves.

    e = exp((x - max(x)) / T)
    softmax      e / sum(e)
    log_softmax  (x - max(x)) / T - log(sum(e))

x / T is nowhere rounded to the dtype of x: (x − max) / T is taken in float64, for float64 with what the difference and
the quotient round off.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.axes import Axis, axes_of, is_one_axis, merged, over_axes
from ..arrays.inputs import as_floats, as_mask, check_axis, check_out
from ..arrays.temperatures import Temperature, by_row, temperatures
from ..compile.kernels import Kernels
from ..numerics.exp_below import exp_of_pair, exp_of_pair_raised
from ..numerics.log import log1p_vector
from ..numerics.sums import reciprocal, two_sum
from ..rowwise.gather import over_scratch, run_writing, through_scratch, writing
from ..rowwise.places import Places, line_at, places_of
from ..rowwise.rows import row_maximum
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    compute_kind,
    fma,
    fma_exact,
    full,
    itemsize,
    load_scalar,
    loop,
    narrow,
    outlined,
    splat,
    store_scalar,
    traced,
    when,
    where,
    widen,
)
from .robust import RaisedSum, without_one_top


def quotient_by(x: Any, m: Any, options: Any) -> Any:
    """(x − m) / T in float64 as a pair; `options` is the address of T and of a factor for x and m, 1 or 1/2."""
    real = x.constant(0.0, types.float64)
    temperature = load_scalar(real, options)
    if x.scalar == types.float32:
        d = widen(x) - widen(m)
        return d / temperature, splat(d, 0.0)
    factor = load_scalar(real, options + 8)
    d, lost = two_sum(x * factor, 0.0 - m * factor)
    quotient = d / temperature
    return quotient, (fma_exact(0.0 - quotient, temperature, d) + lost) / temperature


def sum_of_others_by(kind: Any, src: Any, n: Any, m: Any, options: Any) -> Any:
    """Σ exp((x − m) / T) without the maximum's own term, as `robust.sum_of_others`."""
    total = RaisedSum(m)
    for part in slices(kind, n):
        x = part.load(src, -math.inf)
        total.add(x, exp_of_pair_raised(*quotient_by(x, m, options)))
    return without_one_top(*total.over_lanes())


@outlined
def _softmax_row(kind: Any, dst: Any, src: Any, n: Any, options: Any) -> None:
    m = full(kind, row_maximum(kind, src, n))
    high, low = sum_of_others_by(kind, src, n, m, options)
    total, error = two_sum(splat(high, 1.0), high)
    first, second = reciprocal(total, total, error + low)
    for part in slices(kind, n):
        x = part.load(src)
        e = exp_of_pair(*quotient_by(x, m, options))
        part.store(dst, narrow(x, fma(e, first, e * second)))


@outlined
def _log_softmax_row(kind: Any, dst: Any, src: Any, n: Any, options: Any) -> None:
    m = full(kind, row_maximum(kind, src, n))
    log_of_sum = log1p_vector(*sum_of_others_by(kind, src, n, m, options))
    for part in slices(kind, n):
        x = part.load(src)
        quotient, rest = quotient_by(x, m, options)
        # of −inf the rest is NaN
        part.store(dst, narrow(x, (quotient - log_of_sum) + where(quotient == -math.inf, 0.0, rest)))


def _unmasked(row: Any) -> Kernels:
    """The kernels of a row function for lines without a mask; `step` leads from the options of a row to the next."""

    def line(kind: Any, dst: Any, src: Any, n: Any, index: Any, options: Any, step: Any) -> None:
        row(kind, dst, src, n, options + index * step)

    return writing(line)


def _masked(row: Any, left_out: float) -> Kernels:
    """The kernels of a row function for lines with a mask; what it leaves out is `left_out`."""

    @traced
    def lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, scratch: Any) -> None:
        work, options, step, mask = compute_kind(kind), src[4], src[5], Places(*src[6:])
        for index, line in through_scratch(kind, dst, src, first, last, n, scratch):
            flags = line_at(mask, index)
            left = _fill_unmasked(work, line, flags, mask.along, n, -math.inf)
            with when(left > 0):
                row(work, line, line, n, options + index * step)
            _fill_unmasked(work, line, flags, mask.along, n, left_out)

    return over_scratch(lines)


def _fill_unmasked(kind: Any, line: Any, flags: Any, along: Any, n: Any, value: float) -> Any:
    """Put a value where the mask of a line is not set; how many numbers are left."""
    left, byte = Variable(n.constant(0)), n.constant(0, types.uint8)
    with loop(0, n) as k:
        masked_out = load_scalar(byte, flags + k * along) == 0
        with when(masked_out):
            store_scalar(kind, line + k * itemsize(kind), value)
        left.value += where(masked_out, n.constant(0), 1)
    return left.value


_KERNELS = {
    "softmax": (_unmasked(_softmax_row), _masked(_softmax_row, 0.0)),
    "log_softmax": (_unmasked(_log_softmax_row), _masked(_log_softmax_row, -math.inf)),
}


def options_for(degrees: float, dtype: np.dtype[Any]) -> Array:
    """What `quotient_by` reads, for a temperature and numbers of a dtype."""
    if dtype.itemsize < 8:
        # numbers that differ at all differ by 2⁻¹⁴⁹ or more, so that no quotient overflows
        return np.array([max(degrees, 1e-200), 1.0])
    # above 1 halves are taken, so that the difference of two float64 numbers does not overflow
    return np.array([degrees / 2, 0.5] if degrees > 1 else [degrees, 1.0])


def options_of(degrees: float | Array, x: Array, axis: int) -> tuple[Array, int]:
    """What `quotient_by` reads for the rows of `x`, and how many bytes further it lies for the next one."""
    if isinstance(degrees, float):
        return options_for(degrees, x.dtype), 0
    rows = by_row(degrees, x.shape, axis)
    if x.itemsize < 8:
        options = np.stack((np.maximum(rows, 1e-200), np.ones_like(rows)), -1)
    else:
        halved = rows > 1
        options = np.stack((np.where(halved, rows / 2, rows), np.where(halved, 0.5, 1.0)), -1)
    return in_c_order(options), options.itemsize * 2


def tempered(
    name: str,
    given: npt.ArrayLike,
    axis: Axis,
    temperature: Temperature,
    mask: npt.ArrayLike | None,
    out: Array | None,
) -> Array:
    """softmax or log_softmax, by `name`, of given / temperature where the mask is set."""
    x = as_floats(name, given)
    if not is_one_axis(x, axis):
        axes = axes_of(x, axis)
        degrees = temperatures(name, temperature, x.shape, axes)
        if not isinstance(degrees, float):
            degrees = merged(np.broadcast_to(degrees, x.shape), axes)[..., :1]
        if mask is None:
            return over_axes(
                name, (x,), axis, out, lambda x, to: _along(name, x, x.ndim - 1, degrees, None, to)
            )
        arrays = (x, as_mask(name, mask, x.shape))
        return over_axes(
            name, arrays, axis, out, lambda x, m, to: _along(name, x, x.ndim - 1, degrees, m, to)
        )
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    degrees = temperatures(name, temperature, x.shape, (axis,))
    return _along(name, x, axis, degrees, None if mask is None else as_mask(name, mask, x.shape), out)


def _along(
    name: str, x: Array, axis: int, degrees: float | Array, mask: Array | None, out: Array | None
) -> Array:
    """The same along one axis, of arguments that were checked."""
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    options, step = options_of(degrees, x, axis)
    plain, masked = _KERNELS[name]
    if mask is None:
        return run_writing(plain, x, axis, out, address(options), step)
    places, offsets = places_of(mask, axis)
    result = run_writing(masked, x, axis, out, address(options), step, *places)
    del offsets  # the kernels read them until here
    return result
