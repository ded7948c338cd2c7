"""How the lines of an array along an axis lie in memory, for calls from Python and from jitted code.

One implementation, because whether a line is done as a row or in a tile of columns can show in the last bit.
"""

from typing import Any, NamedTuple

from ..compile.jit import by_type, shared
from ..vector.numba_internals import tuple_setitem

_set_item: Any = tuple_setitem


class Lines(NamedTuple):
    """(outer, n, inner): lines of n numbers along the axis, and the steps in bytes between outer blocks and along the
    axis; inner numbers are neighbours. No lines (0 outer) where the memory has not that form."""

    outer: int
    n: int
    inner: int
    step_outer: int
    step_along: int


@shared
def contiguous_lines(shape: Any, size: Any, axis: Any) -> Any:
    """The lines along an axis of an array in C order, of numbers of `size` bytes."""
    outer, inner = 1, 1
    for d in range(axis):
        outer *= shape[d]
    for d in range(axis + 1, len(shape)):
        inner *= shape[d]
    n = shape[axis]
    return Lines(outer, n, inner, n * inner * size, inner * size)


@shared
def lines_of(shape: Any, strides: Any, size: Any, axis: Any) -> Any:
    """The lines along an axis of an array that is not empty, where its memory has that form."""
    none = Lines(0, 0, 0, 0, 0)
    inner = 1
    for d in range(len(shape) - 1, axis, -1):
        if shape[d] != 1 and strides[d] != inner * size:
            return none
        inner *= shape[d]
    n, step_along = shape[axis], strides[axis]
    if inner == 1 and n > 1 and step_along != size:
        return none
    outer, step_outer = 1, n * inner * size
    for d in range(axis - 1, -1, -1):
        if shape[d] == 1:
            continue
        if outer == 1:
            step_outer = strides[d]
        elif strides[d] != outer * step_outer:
            return none
        outer *= shape[d]
    return Lines(outer, n, inner, step_outer, step_along)


def replaced(values: Any, i: Any, value: Any) -> Any:
    """A tuple with another value at one place."""
    return (*values[:i], value, *values[i + 1 :])


@by_type(replaced)
def _replaced_when_jitted(values: Any, i: Any, value: Any) -> Any:
    def set_item(values: Any, i: Any, value: Any) -> Any:
        return _set_item(values, i, value)

    return set_item


@shared
def _before(shape: Any, strides: Any, a: Any, b: Any) -> Any:
    """Whether axis `a` comes before axis `b` in the order of the memory: axes of length one first, then long steps."""
    if shape[a] == 1 or shape[b] == 1:
        return shape[a] == 1 and (shape[b] != 1 or a < b)
    return abs(strides[a]) > abs(strides[b]) or (abs(strides[a]) == abs(strides[b]) and a < b)


@shared
def memory_order(shape: Any, strides: Any) -> Any:
    """The axes in the order of the memory."""
    order = shape
    for d in range(len(shape)):
        place = 0
        for other in range(len(shape)):
            place += other != d and _before(shape, strides, other, d)
        order = replaced(order, place, d)
    return order
