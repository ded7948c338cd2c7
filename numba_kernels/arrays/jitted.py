"""What `layout` does in Python, for calls from inside jitted code; the lines along an axis are those of `lines`."""

from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import helper
from ..vector import load_scalar, store_scalar
from .lines import contiguous_lines, lines_of, memory_order, replaced


@helper
def address_of(x: Any) -> Any:
    """The address of an array's first number."""
    return np.int64(x.ctypes.data)


@helper
def extent(x: Any) -> Any:
    """The lowest address of an array's memory, and the one behind its last byte."""
    low, high = address_of(x), address_of(x) + x.itemsize
    for d in range(x.ndim):
        reach = (x.shape[d] - 1) * x.strides[d]
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high


@helper
def disjoint(x: Any, y: Any) -> Any:
    """Whether two arrays, neither of them empty, share no memory; False where they interlace without sharing."""
    x_low, x_high = extent(x)
    y_low, y_high = extent(y)
    return x_high <= y_low or y_high <= x_low


@helper
def moved_last(shape: Any, axis: Any) -> Any:
    """The axes in their order, but `axis` at the end."""
    order = shape
    for d in range(len(shape)):
        order = replaced(order, d, d + (d >= axis))
    return replaced(order, len(shape) - 1, axis)


@helper
def permuted(values: Any, order: Any) -> Any:
    """A tuple in another order."""
    result = values
    for d in range(len(order)):
        result = replaced(result, d, values[order[d]])
    return result


@helper
def copy_numbers(kind: Any, dst: Any, dst_strides: Any, src: Any, src_strides: Any, shape: Any) -> Any:
    """Copy numbers from one order to another. (Numba's own assignment takes ten seconds to compile.)"""
    for index in np.ndindex(shape):
        to, origin = dst, src
        for d in range(len(shape)):
            to += index[d] * dst_strides[d]
            origin += index[d] * src_strides[d]
        store_scalar(kind, to, load_scalar(kind, origin))


# The steps around a kernel: `new_*` makes a contiguous result in the order of x's memory, `source_*` gives the
# address and the lines of what is to be read along an axis, `numbers_*` the address of what is to be
# read in the order of the result, `turned_*` the array for the caller.


@helper
def new_c(x: Any) -> Any:
    return np.empty(x.shape, x.dtype)


@helper
def source_c(kind: Any, x: Any, axis: Any, result: Any) -> Any:
    return address_of(x), contiguous_lines(x.shape, x.itemsize, axis)


@helper
def numbers_c(kind: Any, x: Any, result: Any) -> Any:
    return address_of(x)


@helper
def turned_c(kind: Any, x: Any, result: Any) -> Any:
    return result


@helper
def new_f(x: Any) -> Any:
    return np.empty(x.T.shape, x.dtype)


@helper
def source_f(kind: Any, x: Any, axis: Any, result: Any) -> Any:
    return source_c(kind, x.T, x.ndim - 1 - axis, result)


@helper
def turned_f(kind: Any, x: Any, result: Any) -> Any:
    return result.T


@helper
def new_a(x: Any) -> Any:
    return np.empty(permuted(x.shape, memory_order(x.shape, x.strides)), x.dtype)


@helper
def numbers_a(kind: Any, x: Any, result: Any) -> Any:
    strides = permuted(x.strides, memory_order(x.shape, x.strides))
    copy_numbers(kind, address_of(result), result.strides, address_of(x), strides, result.shape)
    return address_of(result)


@helper
def source_a(kind: Any, x: Any, axis: Any, result: Any) -> Any:
    order = memory_order(x.shape, x.strides)
    place = 0
    for d in range(x.ndim):
        place = d if order[d] == axis else place
    lines = lines_of(result.shape, permuted(x.strides, order), x.itemsize, place)
    if lines.outer:
        return address_of(x), lines
    numbers_a(kind, x, result)
    return source_c(kind, result, place, result)


@helper
def turned_a(kind: Any, x: Any, result: Any) -> Any:
    order, turned = memory_order(x.shape, x.strides), False
    for d in range(x.ndim):
        turned = turned or order[d] != d
    if not turned:
        return result
    back = np.empty(x.shape, x.dtype)
    copy_numbers(
        kind,
        address_of(back),
        permuted(back.strides, order),
        address_of(result),
        result.strides,
        result.shape,
    )
    return back


@helper
def last_axis_a(kind: Any, x: Any, axis: Any) -> Any:
    """A copy in C order with `axis` at the end."""
    order = moved_last(x.shape, axis)
    moved = np.empty(permuted(x.shape, order), x.dtype)
    copy_numbers(
        kind, address_of(moved), moved.strides, address_of(x), permuted(x.strides, order), moved.shape
    )
    return moved


@helper
def last_axis_c(kind: Any, x: Any, axis: Any) -> Any:
    """An array in C order with `axis` at the end; `x` itself where it is there."""
    return x if axis == x.ndim - 1 else last_axis_a(kind, x, axis)


class Steps(NamedTuple):
    """What the layout in an array's type decides."""

    new: Any
    source: Any
    numbers: Any
    turned: Any
    last_axis: Any


STEPS = {
    "C": Steps(new_c, source_c, numbers_c, turned_c, last_axis_c),
    "F": Steps(new_f, source_f, numbers_c, turned_f, last_axis_a),
    "A": Steps(new_a, source_a, numbers_a, turned_a, last_axis_a),
}


# A number for each row


@helper
def with_axis(numbers: Any, shape: Any, axis: Any) -> Any:
    """The numbers in the shape of the array, length one along `axis`."""
    return numbers.reshape(replaced(shape, axis, 1))


@helper
def without_axis(numbers: Any, shape: Any, axis: Any) -> Any:
    """The numbers in the shape of an array of rank 2 or more, without `axis`."""
    rest = shape[1:]
    for d in range(axis):
        rest = replaced(rest, d, shape[d])
    return numbers.reshape(rest)


@helper
def single(numbers: Any, shape: Any, axis: Any) -> Any:
    """The one number."""
    return numbers[0]
