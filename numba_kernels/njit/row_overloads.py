"""The row forms inside a user's own jitted function.

They run the serial kernels of the operators on the one row, and so give their bits. Rows and results that are
contiguous are taken as they lie. A row with steps is copied to `out` first and worked on there. Only where `out` has
steps itself, or shares a part of its memory with the row, is a scratch of one row allocated.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core.errors import TypingError

from ..arrays.jitted import address_of, copy_numbers, disjoint
from ..arrays.layout import LineKernels
from ..compile.jit import by_type, helper, keep_alive
from ..compile.kernels import Kernels
from ..elementwise.sigmoid import _KERNELS as _SIGMOID
from ..hardmax import _KERNELS as _HARDMAX
from ..log_softmax import _KERNELS as _LOG_SOFTMAX
from ..logsumexp import _KERNELS as _LOGSUMEXP
from ..softmax import _KERNELS as _SOFTMAX
from ..vector import lanes, load_scalar, stack_scratch, store_scalar
from .refusals import DTYPES, KINDS, refuse_dtype, refuse_out, wrong_shape
from .row_forms import hardmax_row, log_softmax_row, logsumexp_row, sigmoid_row, softmax_row


def _refuse(name: str, x: Any) -> None:
    refuse_dtype(name, x)
    if x.ndim != 1:
        message = f"{name} takes one row, an array of rank 1 (got rank {x.ndim}); pass x[i]"
        raise TypingError(message)


@helper
def _ready(x: Any, out: Any) -> Any:
    """Whether a kernel can write to `out` while it reads `x`, once `x` lies there if it has steps."""
    if out.strides[0] != out.itemsize:
        return False
    return disjoint(x, out) or (address_of(x) == address_of(out) and x.strides[0] == out.strides[0])


def _of_lines(kernels: LineKernels) -> Any:
    """How the kernels of an operator along an axis do one row, for a dtype."""

    def for_dtype(dtype: Any) -> Any:
        rows, short_rows, kind = kernels.rows[dtype][0], kernels.short_rows[dtype][0], dtype.type(0)

        @helper
        def one_row(dst: Any, src: Any, n: Any, size: Any) -> Any:
            one, whole = np.int64(1), n * size
            if n < lanes(kind):
                short_rows(dst, src, one, n, one, whole, size, whole, size)
            else:
                rows(dst, src, one, n, one, whole, size, whole, size)

        return one_row

    return for_dtype


def _of_elements(kernels: Kernels) -> Any:
    """How the kernels over spans of elements do one row, for a dtype."""

    def for_dtype(dtype: Any) -> Any:
        spans = kernels[dtype][0]

        @helper
        def one_row(dst: Any, src: Any, n: Any, size: Any) -> Any:
            spans(dst, src, n, np.int64(1))

        return one_row

    return for_dtype


def _to_row(stub: Callable[..., Any], for_dtype: Any) -> None:
    """Let jitted code call ``stub(x, out)``."""
    name = stub.__name__

    @by_type(stub)
    def to_row(x: Any, out: Any) -> Any:
        _refuse(name, x)
        if not refuse_out(name, out, x.dtype, 1):
            message = f"{name} writes to out (got None); pass np.empty_like(x)"
            raise TypingError(message)
        kind, message = KINDS[x.dtype], wrong_shape(name)
        one_row = for_dtype(DTYPES[x.dtype])

        def row(x: Any, out: Any) -> Any:
            if out.size != x.size:
                raise ValueError(message)
            if x.size == 0:
                return
            if _ready(x, out):
                dst, src = address_of(out), address_of(x)
                if x.strides[0] != x.itemsize:
                    copy_numbers(kind, dst, out.strides, src, x.strides, x.shape)
                    src = dst
                one_row(dst, src, x.size, x.itemsize)
            else:
                scratch = np.empty(x.shape, x.dtype)
                place = address_of(scratch)
                copy_numbers(kind, place, scratch.strides, address_of(x), x.strides, x.shape)
                one_row(place, place, x.size, x.itemsize)
                copy_numbers(kind, address_of(out), out.strides, place, scratch.strides, x.shape)
                keep_alive(scratch)

        return row


@helper
def _one_line(place: Any, x: Any) -> Any:
    """The places (see `places`) of a row that lies together."""
    return place, np.int64(0), x.size * x.itemsize, x.itemsize


def _to_number(stub: Callable[..., Any], kernels: Any, empty: float) -> None:
    """Let jitted code call ``stub(x)``, with the kernels of `gather.reading`."""
    name = stub.__name__

    @by_type(stub)
    def to_number(x: Any) -> Any:
        _refuse(name, x)
        kind, kernel = KINDS[x.dtype], kernels[DTYPES[x.dtype]][0]

        def number(x: Any) -> Any:
            place = stack_scratch(kind)
            if x.size == 0:
                store_scalar(kind, place, empty)
            elif x.strides[0] == x.itemsize:
                kernel(place, _one_line(address_of(x), x), np.int64(1), x.size)
            else:
                row = np.empty(x.shape, x.dtype)
                copy_numbers(kind, address_of(row), row.strides, address_of(x), x.strides, x.shape)
                kernel(place, _one_line(address_of(row), x), np.int64(1), x.size)
                keep_alive(row)
            return load_scalar(kind, place)

        return number


_to_row(softmax_row, _of_lines(_SOFTMAX))
_to_row(log_softmax_row, _of_lines(_LOG_SOFTMAX))
_to_row(hardmax_row, _of_lines(_HARDMAX))
_to_row(sigmoid_row, _of_elements(_SIGMOID))
_to_number(logsumexp_row, _LOGSUMEXP, empty=-np.inf)
