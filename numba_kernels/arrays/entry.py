"""Small calls in a third of a microsecond: from Python's objects to a kernel and back in machine code.

A kernel is done with ten numbers in less than a quarter of a microsecond. Asking in Python where they lie, and whether
`out` may be written to, takes ten times as long. So the questions of the usual call are asked in machine code: Python
calls a built-in function that reads the fields of the arrays, allocates the result where there is no `out`, runs the
kernel and returns the array. To whatever it does not know for certain it answers None, and the usual way does the work
or refuses it.

That function is compiled once, by Numba, for all operators and dtypes. What differs from process to process (addresses
of types, of C functions, of kernels) it reads from a table, an array that is bound to it as `self`. Where objects do
not lie as `objects` says (PyPy, a build without the GIL) nothing is compiled and every call takes the usual way.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from ..compile.jit import Kernels, c_function, kernel
from ..compile.threads import PARALLEL_FROM
from ..vector import KINDS, VECTOR_BYTES, traced, where
from ..vector.flow import choose, repeat, seek
from ..vector.types import llvm
from .inputs import Array, address
from .objects import (
    BYTE_ORDER,
    DATA,
    DESCR,
    FLAGS,
    NATIVE,
    NDIM,
    PLAIN,
    SHAPE,
    TYPE,
    WRITEABLE,
    array_allocator,
    built_in,
    byte,
    call_c,
    int32,
    layout_holds,
    python_function,
    word,
)

# The GIL is held below so many numbers; to let it go and take it again takes as long as some hundred numbers.
_RELEASE_FROM = 2048

_DTYPES = tuple(KINDS)
_AXES = tuple(range(-1, 64))  # each one object in CPython, known by its address
_METH_FASTCALL = 0x80

# Where things stand in the table, in bytes. In front is a PyMethodDef: it has to live as long as the function.
_ARRAY, _NONE, _EMPTY, _INCREF, _DECREF, _SAVE, _RESTORE, _ELEMENTS, _NAME = range(32, 104, 8)
# Of each dtype its class, the bytes of a number, the numbers of a vector, the kernels for rows shorter than that and
# for others (0: not known yet); then the objects in _AXES.
_CLASS, _SIZE, _LANES, _SHORT, _LONG, _AXIS = range(104, 104 + 6 * 8 * len(_DTYPES), 8 * len(_DTYPES))

# What the code below answers where it does not know; 0 says that an exception is set.
_UNKNOWN = -1


def _kind_of(table: Any, thing: Any) -> Any:
    """Where in `KINDS` the dtype of an object is, times 8, if it is a plain array; −1 for everything else."""
    unknown = table.constant(_UNKNOWN)

    def look() -> Any:
        descr, kind = word(thing, DESCR), unknown
        for i in range(0, 8 * len(_DTYPES), 8):
            kind = where(word(descr, TYPE) == word(table, _CLASS + i), i, kind)
        plain = (int32(thing, FLAGS) & PLAIN) == PLAIN
        return where(plain & (byte(descr, BYTE_ORDER) == NATIVE), kind, unknown)

    return choose(word(thing, TYPE) == word(table, _ARRAY), look, lambda: unknown)


def _fits(table: Any, out: Any, x: Any, kind: Any, numbers: Any) -> Any:
    """Whether `out` can be written to while `x` is read: an array like it, apart from it or at the same place."""
    ndim, no = int32(x, NDIM), table.constant(False, types.boolean)

    def compare() -> Any:
        own, other = word(x, SHAPE), word(out, SHAPE)
        differs = seek(0, ndim, lambda i: word(own, i * 8) != word(other, i * 8))
        apart = word(out, DATA) - word(x, DATA)
        distance = where(apart < 0, 0 - apart, apart)
        return (differs >= ndim) & ((apart == 0) | (distance >= numbers * word(table + _SIZE, kind)))

    def look() -> Any:
        return choose(
            ((int32(out, FLAGS) & WRITEABLE) != 0) & (int32(out, NDIM) == ndim), compare, lambda: no
        )

    return choose(_kind_of(table, out) == kind, look, lambda: no)


def _allocated(table: Any, x: Any) -> Any:
    """A new array like `x`; 0 with an exception set."""
    descr, ndim = word(x, DESCR), int32(x, NDIM)
    short = ndim.new(types.int32, ndim.builder.trunc(ndim.ir, llvm(types.int32)))
    call_c(word(table, _INCREF), descr)
    return call_c(word(table, _EMPTY), short, word(x, SHAPE), descr, short.constant(0))


def _given(table: Any, out: Any, x: Any, kind: Any, numbers: Any) -> Any:
    """`out`, referred to once more, if it will do."""

    def take() -> Any:
        call_c(word(table, _INCREF), out)
        return out

    return choose(_fits(table, out, x, kind, numbers), take, lambda: table.constant(_UNKNOWN))


def _computed(table: Any, function: Any, result: Any, x: Any, kind: Any, rows: Any, n: Any) -> Any:
    """The result, once the kernel has written to it."""
    released = rows * n >= _RELEASE_FROM
    thread = choose(released, lambda: call_c(word(table, _SAVE)), lambda: table.constant(0))
    dst, src, one, size = word(result, DATA), word(x, DATA), table.constant(1), word(table + _SIZE, kind)
    done = choose(
        word(table, _ELEMENTS) == 0,
        lambda: call_c(function, dst, src, rows, n, one, n * size, size, n * size, size),
        lambda: call_c(function, dst, src, rows * n, one),
    )

    def restore() -> None:
        call_c(word(table, _RESTORE), thread)

    choose(released, restore)

    def failed() -> Any:
        call_c(word(table, _DECREF), result)
        return table.constant(_UNKNOWN)

    return choose(done == 1, lambda: result, failed)


def _of_array(table: Any, x: Any, kind: Any, out: Any) -> Any:
    """What `_small_call` gives for a plain array of rank 1 or more."""
    ndim, shape = int32(x, NDIM), word(x, SHAPE)
    rows = repeat(0, ndim - 1, lambda i, rows: rows * word(shape, i * 8), table.constant(1))
    n = word(shape, (ndim - 1) * 8)
    row_is_short = n < word(table + _LANES, kind)
    function = word(table + where(row_is_short, table.constant(_SHORT), _LONG), kind)

    def go() -> Any:
        result = choose(
            out == word(table, _NONE),
            lambda: _allocated(table, x),
            lambda: _given(table, out, x, kind, rows * n),
        )
        return choose(
            result > 0, lambda: _computed(table, function, result, x, kind, rows, n), lambda: result
        )

    suits = (function != 0) & (rows * n >= 1) & (rows * n < PARALLEL_FROM)
    return choose(suits, go, lambda: table.constant(_UNKNOWN))


@traced
def _called(bound: Any, arguments: Any, count: Any) -> Any:
    table, unknown = word(bound, DATA), bound.constant(_UNKNOWN)

    def looked() -> Any:
        x, axis, out = (word(arguments, at) for at in (0, 8, 16))
        kind = _kind_of(table, x)
        ndim = choose(kind >= 0, lambda: int32(x, NDIM), lambda: bound.constant(0))
        is_last = (axis == word(table, _AXIS)) | (axis == word(table + _AXIS, ndim * 8))
        return choose((ndim > 0) & is_last, lambda: _of_array(table, x, kind, out), lambda: unknown)

    def none() -> Any:
        result = word(table, _NONE)
        call_c(word(table, _INCREF), result)
        return result

    result = choose(count == 3, looked, lambda: unknown)
    return choose(result == _UNKNOWN, none, lambda: result)


@kernel
def _small_call(bound: Any, arguments: Any, count: Any) -> Any:
    """A C function of Python's convention METH_FASTCALL: `self`, where x, axis and out stand, how many these are."""
    return _called(bound, arguments, count)


def _words(count: int) -> Any:
    return (types.int64,) * count


@functools.cache
def _shared() -> Array | None:
    """A table without kernels and without its own address; None where calls take the usual way."""
    # with NUMBA_DISABLE_JIT there is nothing that compiles
    allocator = array_allocator() if hasattr(_small_call, "get_compile_result") and layout_holds() else 0
    if not allocator:
        return None
    method = (0, c_function(_small_call, *_words(3)), _METH_FASTCALL, 0)
    names = ("Py_IncRef", "Py_DecRef", "PyEval_SaveThread", "PyEval_RestoreThread")
    one_each = (id(np.ndarray), id(None), allocator, *map(python_function, names))
    name = int.from_bytes(b"small", "little")
    sizes = [dtype.itemsize for dtype in _DTYPES]
    each = (
        [id(type(dtype)) for dtype in _DTYPES],
        sizes,
        [VECTOR_BYTES // max(size, 4) for size in sizes],
        [0] * len(sizes),
        [0] * len(sizes),
        [id(axis) for axis in _AXES],
    )
    return np.array((*method, *one_each, 0, name, *(word for words in each for word in words)), np.int64)


def _unknown(x: Any, axis: Any, out: Any) -> None:
    """What answers before a kernel is known."""


class SmallCalls:
    """The small calls of an operator along the last axis, from its kernels for rows; of one on elements, from those.

    ``call(x, axis, out)`` gives the result, or None: not known, take the usual way. That tells `learn` what it did.
    """

    __slots__ = ("_kernels", "_known", "_seen", "_table", "call")

    def __init__(self, *kernels: Kernels) -> None:
        self.call: Callable[[Any, Any, Any], Array | None] = _unknown
        self._kernels = kernels  # for longer rows and for short ones, or for elements
        self._table: Array | None = None
        self._seen: set[tuple[Any, bool]] = set()
        self._known: set[tuple[Any, bool]] = set()

    def learn(self, dtype: np.dtype[Any], short: bool = False) -> None:
        """Take over calls on small arrays of a dtype from the second on: the first waits for enough already."""
        what = (dtype, short)
        if what in self._known:
            return
        if what not in self._seen:
            self._seen.add(what)
            return
        self._take_over(*what)
        self._known.add(what)

    def _take_over(self, dtype: np.dtype[Any], short: bool) -> None:
        shared = _shared()
        if shared is None:
            return
        if self._table is None:
            self._table = shared.copy()
            self._table[_ELEMENTS // 8] = len(self._kernels) == 1
            self._table[0] = address(self._table) + _NAME
        of_elements = len(self._kernels) == 1
        code = c_function(self._kernels[short][dtype][0], *_words(4 if of_elements else 9))
        kind = _DTYPES.index(dtype)
        for slot in (_SHORT, _LONG) if of_elements else (_SHORT if short else _LONG,):
            self._table[slot // 8 + kind] = code
        if self.call is _unknown:
            self.call = built_in(address(self._table), self._table)
