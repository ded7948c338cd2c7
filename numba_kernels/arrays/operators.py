"""A call from Python: given → checked → lines at an address → kernel → result.

An array whose lines do not lie as kernels take them is copied once to lie so, and the result once back. From the second
call on, arrays in C order take a short way, see `small`.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy import empty, ndarray  # by their own names: each look-up in a module counts in a small call

from ..compile import threads
from ..compile.jit import c_function
from ..compile.kernels import FLOAT64, Kernels
from ..compile.shares import Form
from ..compile.threads import PARALLEL_FROM, parts_now
from ..vector import KINDS, VECTOR_BYTES
from .addresses import Array, address, first_number
from .axes import Axis, is_one_axis, over_axes
from .inputs import as_floats, check_axis, check_out
from .layout import LineKernels, launch, run_elements
from .lines import contiguous_lines as find_contiguous_lines
from .lines import lines_of as find_lines
from .lines import memory_order
from .small import BY_ELEMENTS, BY_ROWS, Codes

# Calls on arrays of the same few shapes find the same lines again.
contiguous_lines, lines_of = (lru_cache(maxsize=1024)(find) for find in (find_contiguous_lines, find_lines))

# How many numbers a vector holds, by their size; halves are computed in float32.
LANES = {size: VECTOR_BYTES // max(size, 4) for size in (2, 4, 8)}
# The short way is compiled for each rank up to this one.
RANKS = 4
# Numba knows no arrays of bfloat16; for where they lie, their bits are as good.
_BITS = np.dtype(np.int16)


def _is_like(out: Any, dtype: np.dtype[Any], rank: int) -> bool:
    """Whether `out` is a contiguous array of that dtype and rank that can be written to; its shape is not asked."""
    return type(out) is ndarray and out.dtype == dtype and out.ndim == rank and bool(out.flags.carray)


class _Known(NamedTuple):
    """What the short way needs for a dtype."""

    codes: int
    """The address of the row in the table of codes."""
    is_half: bool
    enough: float
    """From so many numbers on they are worth threads."""


class _Operator(ABC):
    """An operator that gives a number for each number of an array."""

    __slots__ = ("_cost", "_known", "_large", "_name", "_shared", "_small", "_table", "kernels")

    def __init__(self, name: str, kernels: Any, cost: float, at_once: tuple[Any, Any, Any]) -> None:
        self.kernels, self._cost = kernels, cost
        self._name = name
        self._small, self._large, self._shared = at_once
        self._table = np.zeros((len(KINDS), len(Codes)), np.int64)
        # by dtypes for which a kernel has run
        self._known: dict[np.dtype[Any], _Known] = {}

    def _learn(self, dtype: np.dtype[Any], which: Codes, found: int) -> None:
        """Take the short way from now on, to a kernel that has run: no first call waits for it."""
        codes = self._table[list(KINDS).index(dtype)]
        codes[which] = found
        enough = PARALLEL_FROM / (self._cost * (FLOAT64 if dtype.itemsize == 8 else 1.0))
        self._known[dtype] = _Known(address(codes), dtype.itemsize == 2, enough)

    def _learn_from(self, x: Array, kernels: Kernels, which: Codes, parameters: int, form: Form) -> None:
        """Learn what an array has just been done by; `parameters` and `form` are those of the two kernels."""
        serial, shared = kernels[x.dtype]
        if parts_now(kernels.work(x), x.size) == 1:
            self._learn(x.dtype, which, c_function(serial, parameters))
        else:
            self._learn(x.dtype, Codes(which + Codes.SHORT_ROWS_SHARED), shared.code(form))

    def run(self, given: npt.ArrayLike, out: Array | None, axis: Axis = -1) -> Array:
        """The result, in `out` if there is one."""
        if type(given) is ndarray and type(axis) is int and given.flags.carray:
            shape, dtype = given.shape, given.dtype
            known, rank = self._known.get(dtype), len(shape)
            is_row = 0 < rank <= RANKS and (axis == -1 or axis == rank - 1)
            if known and is_row and (out is None or _is_like(out, dtype, rank)):
                codes, is_half, enough = known
                result = empty(shape, dtype) if out is None else out
                x, y = (given.view(_BITS), result.view(_BITS)) if is_half else (given, result)
                if self._small(codes, x, y) if given.size < enough else self._large_done(codes, x, y):
                    return result
        return self._checked(given, out, axis)

    def _large_done(self, codes: int, x: Array, result: Array) -> bool:
        """Whether it could be done, by one thread or several."""
        parts = parts_now(PARALLEL_FROM, x.size)
        if parts == 1:
            done: bool = self._large(codes, x, result)
            return done
        return threads.launch(self._shared, codes, x, result, parts) >= 0

    @abstractmethod
    def _checked(self, given: npt.ArrayLike, out: Array | None, axis: Axis) -> Array:
        """The result for anything that may be given, or an error that says what may."""


class Elementwise(_Operator):
    """One that turns every number into a number of the result."""

    __slots__ = ()

    def __init__(self, name: str, kernels: Kernels) -> None:
        super().__init__(name, kernels, kernels.cost, BY_ELEMENTS)

    def _checked(self, given: npt.ArrayLike, out: Array | None, axis: Axis) -> Array:
        x = as_floats(self._name, given)
        result = run_elements(self._name, self.kernels, (x,), out)
        if x.size:
            self._learn_from(x, self.kernels, Codes.SHORT_ROWS, 4, (0, 0, 1))
        return result


class AlongAxis(_Operator):
    """One along an axis; `few_long_rows` (`blocks.OverBlocks`) takes over where whole rows would leave threads idle."""

    __slots__ = ("_few_long_rows",)

    def __init__(self, name: str, kernels: LineKernels, few_long_rows: Any = None) -> None:
        super().__init__(name, kernels, kernels.rows.cost, BY_ROWS)
        self._few_long_rows = few_long_rows
        if few_long_rows is not None:
            self._table[:, Codes.STAGES :] = few_long_rows.facts

    def _checked(self, given: npt.ArrayLike, out: Array | None, axis: Axis) -> Array:
        x = as_floats(self._name, given)
        if not is_one_axis(x, axis):
            return over_axes(self._name, (x,), axis, out, self.run)
        axis = check_axis(self._name, x, axis)
        if out is not None:
            check_out(self._name, out, x.shape, x.dtype)
        if x.size == 0:
            return np.empty(x.shape, x.dtype) if out is None else out
        if axis == x.ndim - 1 and x.flags.c_contiguous:
            return self._computed(x, out, axis)
        order = memory_order(x.shape, x.strides)
        target = None if out is None else out.transpose(order)
        result = self._computed(x.transpose(order), target, order.index(axis))
        return result.transpose([order.index(d) for d in range(x.ndim)]) if out is None else out

    def _computed(self, x: Array, out: Array | None, axis: Axis) -> Array:
        """The result for an array that is not empty, its axes in the order of the memory."""
        few = self._few_long_rows
        if few is not None and (rows := few.rows(x, axis)) is not None:
            result: Array = few.result(rows, axis, out)
            self._learn(x.dtype, Codes.BLOCKS_SHARED, few.code(x.dtype))
            return result
        size, contiguous = x.itemsize, x.flags.c_contiguous
        lines = (
            contiguous_lines(x.shape, size, axis) if contiguous else lines_of(x.shape, x.strides, size, axis)
        )
        if not lines.outer:
            x, contiguous = np.ascontiguousarray(x), True
            lines = contiguous_lines(x.shape, size, axis)
        src, dst, target, places = first_number(x), 0, out, None
        if out is not None:
            dst = first_number(out)
            if contiguous and out.flags.c_contiguous and (dst == src or abs(dst - src) >= x.nbytes):
                places = lines
            elif (dst == src and out.strides == x.strides) or not np.may_share_memory(out, x):
                places = lines_of(out.shape, out.strides, size, axis)
        if target is None or places is None or not places.outer:
            target = np.empty(x.shape, x.dtype)
            dst, places = address(target), lines if contiguous else contiguous_lines(x.shape, size, axis)
        short = lines.n < LANES[size]
        of_rows = self.kernels.short_rows if short else self.kernels.rows
        kernels = of_rows if lines.inner == 1 else self.kernels.columns
        count = lines.outer * lines.inner
        launch(kernels, x, count, dst, src, *lines[1:], *places[3:])
        if lines.inner == 1:
            which = Codes.SHORT_ROWS if short else Codes.ROWS
            self._learn_from(x, kernels, which, 9, (0, 0, 6))
        if out is None or target is out:
            return target
        np.copyto(out, target)
        return out
