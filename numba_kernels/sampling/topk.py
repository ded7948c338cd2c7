"""topk: the k largest numbers along an axis, and their probabilities.

heap = the first k numbers of the row
for each further number above the worst in the heap: take it in, in place of that
sort the heap
p = exp((x - max) / T) / Σ exp((x - max) / T)       where probabilities are wanted
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Float, address
from ..arrays.inputs import as_floats, check_axis, check_count
from ..arrays.temperatures import Temperature, is_one, temperatures
from ..log_sums.blocks import first_log_sum, sum_of_block
from ..log_sums.rows import log_sums_of_rows
from ..log_sums.tempered import options_of, quotient_by, sum_of_others_by
from ..numerics.exp_below import exp_of_pair
from ..numerics.sums import reciprocal, two_sum
from ..rowwise.blocks import block_begin
from ..rowwise.gather import Batch, reading, run_reading
from ..rowwise.rows import row_maximum
from ..rowwise.slices import slices
from ..vector import (
    Variable,
    any_set,
    extract,
    fma,
    full,
    itemsize,
    lanes,
    load,
    load_scalar,
    loop,
    maximum,
    narrow,
    outlined,
    splat,
    when,
    widen,
)
from .heap import Heap
from .ranks import rank_of

# So many vectors are looked at together.
_AT_ONCE = 4


def _begin(kind: Any, heap: Heap, src: Any) -> None:
    """Fill a heap with the first numbers of a row."""
    with loop(0, heap.size) as i:
        heap[i] = load_scalar(kind, src + i * itemsize(kind)), i + 0
    heap.order()


@outlined
def _go_on(
    kind: Any, stored: Any, values: Any, indices: Any, size: Any, src: Any, first: Any, last: Any
) -> None:
    """Take what is better than the worst of a heap among numbers of a row that follow those seen so far."""
    heap, width = Heap(stored, values, indices, size), lanes(kind)
    step = _AT_ONCE * width
    whole = first + maximum(last - first, 0) // step * step
    with loop(first, whole, step) as i:
        worst = heap.worst
        # nothing is above a NaN
        i.leave_if(worst != worst)
        vectors = [load(kind, src + i * itemsize(kind), j) for j in range(_AT_ONCE)]
        better = [~(x <= splat(x, worst)) for x in vectors]
        with when(any_set(better[0] | better[1] | better[2] | better[3])):
            for j, mask in enumerate(better):
                with when(any_set(mask)):
                    _take_better(kind, *heap, src, i + j * width, i + (j + 1) * width)
    _take_better(kind, *heap, src, whole, last)


@outlined
def _take_better(
    kind: Any, stored: Any, values: Any, indices: Any, size: Any, src: Any, first: Any, last: Any
) -> None:
    """The same of a few numbers, one by one."""
    heap = Heap(stored, values, indices, size)
    with loop(first, last) as i:
        x = load_scalar(kind, src + i * itemsize(kind))
        with when(rank_of(x) > rank_of(heap.worst)):
            heap.replace_worst(x, i + 0)


@outlined
def _probabilities(kind: Any, stored: Any, values: Any, k: Any, src: Any, n: Any, options: Any) -> None:
    """Numbers of a row to their probabilities, as exact as `tempered` has them."""
    m = full(kind, row_maximum(kind, src, n))
    high, low = sum_of_others_by(kind, src, n, m, options)
    total, error = two_sum(splat(high, 1.0), high)
    first, second = reciprocal(total, total, error + low)
    for part in slices(stored, k):
        x = part.load(values)
        e = exp_of_pair(*quotient_by(x, m, options))
        part.store(values, narrow(x, fma(e, first, e * second)))


@outlined
def _plain_probabilities(kind: Any, stored: Any, values: Any, k: Any, m: Any, log_of_sum: Any) -> None:
    """The same of float32 and halves at temperature 1, from the maximum and the logarithm of the sum."""
    for part in slices(stored, k):
        x = part.load(values)
        d = widen(x) - widen(m)
        part.store(values, narrow(x, exp_of_pair(d - log_of_sum, splat(d, 0.0))))


def _best_and_log_sum(kind: Any, heap: Heap, src: Any, n: Any) -> Any:
    """Fill a heap with the best of a row; (maximum, log Σ exp(x − maximum)), from blocks that are read once."""
    _begin(kind, heap, src)

    def of_block(block: Any) -> Any:
        begin, end = block_begin(block, n), block_begin(block + 1, n)
        highest, lowest, *total = sum_of_block(kind, src, n, block)
        # the sum of a block with a NaN is NaN
        with when(~(highest <= widen(heap.worst)) | (total[0] != total[0])):
            _go_on(kind, *heap, src, maximum(begin, heap.size), end)
        return highest, lowest, *total

    found = first_log_sum(kind, n, of_block)
    result = Variable(*found)
    with when(result.value[1] != result.value[1]):
        result.value = [extract(each, 0) for each in log_sums_of_rows(kind, src, n, n.constant(1), n)]
    return result.value


def _lines(dst: Any, batch: Batch, k: Any, all_options: Any, step: Any) -> None:
    """The k best of each line; with `all_options`, the address of those of temperatures, their probabilities.

    The options of the next line lie `step` further, 0 where there is one temperature for all.
    """
    kind, stored, n = batch.kind, batch.stored, batch.n
    values, indices = dst
    real = n.constant(0.0, types.float64)
    with loop(0, batch.count) as i:
        row, line = batch.address + i * batch.stride, batch.index + i
        options = all_options + line * step
        # 0 where no probabilities are wanted
        temperature = Variable(real)
        with when(all_options != 0):
            temperature.value = load_scalar(real, options)
        heap = Heap(stored, values + line * k * itemsize(stored), indices + line * k * 8, k)
        is_plain = temperature.value == (1.0 if itemsize(kind) < 8 else -1.0)
        with when(is_plain) as otherwise:
            m, log_of_sum = _best_and_log_sum(kind, heap, row, n)
            heap.sort()
            _plain_probabilities(kind, stored, heap.values, k, m, log_of_sum)
        with otherwise:
            _begin(kind, heap, row)
            _go_on(kind, *heap, row, k, n)
            heap.sort()
            with when(temperature.value != 0.0):
                _probabilities(kind, stored, heap.values, k, row, n, options)


_KERNELS = reading(_lines)


@overload
def topk(
    x: npt.NDArray[Float],
    k: int,
    axis: int = ...,
    *,
    probabilities: bool = ...,
    temperature: Temperature = ...,
) -> tuple[npt.NDArray[Float], npt.NDArray[np.int64]]: ...
@overload
def topk(
    x: npt.ArrayLike, k: int, axis: int = ..., *, probabilities: bool = ..., temperature: Temperature = ...
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]: ...
def topk(
    x: npt.ArrayLike,
    k: int,
    axis: int = -1,
    *,
    probabilities: bool = False,
    temperature: Temperature = 1.0,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The k largest numbers along an axis and where they stand, the largest first.

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The numbers. Any rank from 1 on, any strides.
    k : int
        How many, from 0 to n.
    axis : int
        The axis along which they are chosen; NumPy's meaning and errors.
    probabilities : bool
        Return the softmax of the whole line at these places instead of the numbers.
    temperature : float or array
        What the numbers are divided by before the softmax; above 0 and finite. With `probabilities` alone. One for
        each row: an array of length 1 along `axis`.

    Returns
    -------
    values : array of the dtype of `x`, shape (..., k, ...)
    indices : array of int64 of the same shape

    Raises
    ------
    TypeError
        Another dtype, or a k that is no integer.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        A k that is negative or more than there are, a temperature that is not above 0, or one without `probabilities`.

    Notes
    -----
    Order: by number, a NaN above all others, −0 equal to 0; equals by index. Numbers are returned as they are, to the
    bit. Probabilities follow the order of the numbers; special values as of softmax.

    Error of probabilities: as of softmax, at most 2 ULP in float32, 0.51 in halves, 4 in float64
    (``tests/numba_kernels/sampling/test_topk.py``). The same bits for any number of threads.

    The array is read once; a row that stays in the second cache is read again there for the denominator. The time grows
    with k logarithmically, n · log k at the most, for numbers that rise along the line. Source: ``ai.onnx@11::TopK``.

    Examples
    --------
    >>> values, indices = topk(np.array([[1.0, 4.0, 2.0], [3.0, 0.0, 5.0]]), 2)
    >>> values
    array([[4., 2.],
           [5., 3.]])
    >>> indices
    array([[1, 2],
           [2, 0]])
    """
    name = "topk"
    x = as_floats(name, x)
    axis = check_axis(name, x, axis)
    n = x.shape[axis]
    count = check_count(name, "k", k, n)
    options, step = None, 0
    if probabilities:
        options, step = options_of(temperatures(name, temperature, x.shape, (axis,)), x, axis)
    elif not is_one(temperature):
        message = f"{name} takes a temperature with probabilities alone (got {temperature!r}); pass probabilities=True"
        raise ValueError(message)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :], count)
    values, indices = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    if values.size:
        places = (address(values), address(indices))
        run_reading(_KERNELS, x, axis, places, count, 0 if options is None else address(options), step)
    if axis == x.ndim - 1:
        return values, indices
    return tuple(np.ascontiguousarray(np.moveaxis(each, -1, axis)) for each in (values, indices))  # type: ignore[return-value]
