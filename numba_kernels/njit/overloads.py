"""The operators inside a user's own jitted function: ``softmax(x)`` under ``@njit``, with or without `prange`.

Importing the package registers them; nothing is compiled before a jitted function calls one. They run the serial
kernels of the calls from Python, from the same disk cache, so that the bits are the same too; the threads are the
caller's. What Python reads off an array, its type says here: C and Fortran order are taken as they lie, an array of any
other type is looked at when it comes, and its result is in C order.

An operator is added by one line at the end of this file, its row form by one at the end of `row_overloads`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays.jitted import STEPS, address_of, copy_numbers, disjoint, single, with_axis, without_axis
from ..arrays.lines import contiguous_lines
from ..compile.jit import by_type, helper, keep_alive
from ..elementwise.erf import _OPERATOR as _ERF
from ..elementwise.erf import erf
from ..elementwise.hard import _HARD_SWISH, hard_swish
from ..elementwise.sigmoid import _KERNELS as _SIGMOID
from ..elementwise.sigmoid import sigmoid
from ..elementwise.softplus import _LOG_SIGMOID, _SOFTPLUS, log_sigmoid, softplus
from ..elementwise.swish import _MISH, mish
from ..elementwise.tanh import _OPERATOR as _TANH
from ..elementwise.tanh import tanh
from ..hardmax import _KERNELS as _HARDMAX
from ..hardmax import hardmax
from ..log_softmax import _KERNELS as _LOG_SOFTMAX
from ..log_softmax import log_softmax
from ..logsumexp import _KERNELS as _LOGSUMEXP
from ..logsumexp import logsumexp
from ..softmax import _KERNELS as _SOFTMAX
from ..softmax import softmax
from ..vector import lanes, load_scalar, stack_scratch, store_scalar
from .refusals import DTYPES, KINDS, axis_out_of_bounds, literal_bool, refuse_dtype, refuse_out, wrong_shape

Stub = Callable[..., Any]

# Numba optimises and emits a kernel's code again in every function on the way from the kernel to the user's. So the
# implementations below call the kernels themselves, and what they leave to helpers is without kernels.


def _checked_axis(rank: int, message: str) -> Any:
    @helper
    def checked(axis: Any) -> Any:
        if not -rank <= axis < rank:
            raise ValueError(message)
        return np.int64(axis) % rank

    return checked


def _ends(name: str, x: Any, out: Any, kind: Any) -> tuple[Any, Any]:
    """How to begin and to end: start(x, out) gives a contiguous result, finish(x, result, out) what is returned."""
    given = refuse_out(name, out, x.dtype, x.ndim)
    message = wrong_shape(name)
    new, turned = STEPS[x.layout].new, STEPS[x.layout].turned

    @helper
    def start_fresh(x: Any, out: Any) -> Any:
        return new(x)

    @helper
    def finish_fresh(x: Any, result: Any, out: Any) -> Any:
        return turned(kind, x, result)

    @helper
    def start_copied(x: Any, out: Any) -> Any:
        if x.shape != out.shape:
            raise ValueError(message)
        return new(x)

    @helper
    def start_direct(x: Any, out: Any) -> Any:
        if x.shape != out.shape:
            raise ValueError(message)
        return out if x.size == 0 or address_of(x) == address_of(out) or disjoint(x, out) else new(x)

    @helper
    def finish_given(x: Any, result: Any, out: Any) -> Any:
        if x.size and address_of(result) != address_of(out):
            final = turned(kind, x, result)
            copy_numbers(kind, address_of(out), out.strides, address_of(final), final.strides, out.shape)
            keep_alive(final)
        return out

    if not given:
        return start_fresh, finish_fresh
    return (start_direct if x.layout == out.layout == "C" else start_copied), finish_given


def _along_axis(stub: Stub, kernels: Any) -> None:
    """Let jitted code call ``stub(x, axis=-1, out=None)``, with the kernels of `lines.kernels_of`."""
    name = stub.__name__

    @by_type(stub)
    def along_axis(x: Any, axis: Any = -1, out: Any = None) -> Any:
        refuse_dtype(name, x)
        kind = KINDS[x.dtype]
        dtype = DTYPES[x.dtype]
        rows, short_rows = kernels.rows[dtype][0], kernels.short_rows[dtype][0]
        columns = kernels.columns[dtype][0]
        checked = _checked_axis(x.ndim, axis_out_of_bounds(name, x, axis))
        start, finish = _ends(name, x, out, kind)
        source = STEPS[x.layout].source

        def lines(x: Any, axis: Any = -1, out: Any = None) -> Any:
            place = checked(axis)
            result = start(x, out)
            if x.size:
                size = x.itemsize
                src, (outer, n, inner, step, along) = source(kind, x, place, result)
                if inner == 1 and n < lanes(kind):
                    short_rows(address_of(result), src, outer, n, inner, step, along, n * size, size)
                elif inner == 1:
                    rows(address_of(result), src, outer, n, inner, step, along, n * size, size)
                else:
                    block_size, row_size = n * inner * size, inner * size
                    columns(
                        address_of(result), src, outer * inner, n, inner, step, along, block_size, row_size
                    )
            return finish(x, result, out)

        return lines


def _to_numbers(stub: Stub, kernels: Any, empty: float) -> None:
    """Let jitted code call ``stub(x, axis=-1, keepdims=False)``, with the kernels of `gather.reading`."""
    name = stub.__name__

    @by_type(stub)
    def to_numbers(x: Any, axis: Any = -1, keepdims: Any = False) -> Any:
        refuse_dtype(name, x)
        kind, rows = KINDS[x.dtype], kernels[DTYPES[x.dtype]][0]
        checked = _checked_axis(x.ndim, axis_out_of_bounds(name, x, axis))
        last_axis = STEPS[x.layout].last_axis
        shaped = (
            with_axis if literal_bool(name, "keepdims", keepdims) else without_axis if x.ndim > 1 else single
        )

        def numbers(x: Any, axis: Any = -1, keepdims: Any = False) -> Any:
            place = checked(axis)
            outer, n, inner, _, _ = contiguous_lines(x.shape, x.itemsize, place)
            result = np.full(outer * inner, empty, x.dtype)
            if x.size:
                moved = last_axis(kind, x, place)
                rows(
                    address_of(result),
                    (address_of(moved), np.int64(0), n * x.itemsize, x.itemsize),
                    outer * inner,
                    n,
                )
                keep_alive(moved)
            return shaped(result, x.shape, place)

        return numbers


def _elementwise(stub: Stub, kernels: Any) -> None:
    """Let jitted code call ``stub(x, out=None)`` on arrays and numbers, with the kernels of `jit.over_rows`."""
    name = stub.__name__

    @by_type(stub)
    def elementwise(x: Any, out: Any = None) -> Any:
        scalar = getattr(x, "dtype", x)
        kind = KINDS.get(scalar)
        spans: Any = kernels[DTYPES[scalar]][0] if scalar in DTYPES else None
        if x in KINDS:

            def of_number(x: Any, out: Any = None) -> Any:
                place = stack_scratch(kind)
                store_scalar(kind, place, x)
                spans(place, place, np.int64(1), np.int64(1))
                return load_scalar(kind, place)

            return of_number
        refuse_dtype(name, x)
        start, finish = _ends(name, x, out, kind)
        numbers = STEPS[x.layout].numbers

        def elements(x: Any, out: Any = None) -> Any:
            result = start(x, out)
            src = numbers(kind, x, result)
            spans(address_of(result), src, np.int64(x.size), np.int64(1))
            return finish(x, result, out)

        return elements


_along_axis(softmax, _SOFTMAX)
_along_axis(log_softmax, _LOG_SOFTMAX)
_along_axis(hardmax, _HARDMAX)
_to_numbers(logsumexp, _LOGSUMEXP, empty=-np.inf)
_elementwise(sigmoid, _SIGMOID)
_elementwise(log_sigmoid, _LOG_SIGMOID.kernels)
_elementwise(softplus, _SOFTPLUS.kernels)
_elementwise(tanh, _TANH.kernels)
_elementwise(erf, _ERF.kernels)
_elementwise(mish, _MISH.kernels)
_elementwise(hard_swish, _HARD_SWISH.kernels)
