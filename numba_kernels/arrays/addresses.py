"""Where arrays lie, for kernels, which see addresses and no strides.

What NumPy makes keeps the order of what it was made from: a comparison, a ufunc or ``np.where`` of an array in Fortran
order is in Fortran order. So numbers that a kernel reads one after another are brought into C order by `in_c_order`,
and `address` takes no others.
"""

import ctypes
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Float = TypeVar("Float", bound=np.floating[Any])
"""The dtype of an argument, which the result has."""


def in_c_order(x: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """`x` itself where it lies in C order and has the dtype, else a copy that does."""
    return np.asarray(x, dtype, order="C")


def _start_function() -> Callable[[Array], int]:
    """How to ask for the address of an array's first number.

    ``x.__array_interface__`` takes 1.5 µs, longer than many a call. In CPython the pointer is the first field behind
    the object's header (part of NumPy's ABI) and reading it takes 0.2 µs; where that does not hold, the slow way does.
    """

    def asked(x: Array) -> int:
        pointer: int = x.__array_interface__["data"][0]
        return pointer

    if sys.implementation.name != "cpython":
        return asked
    header, read = object.__basicsize__, ctypes.c_ssize_t.from_address

    def peeked(x: Array) -> int:
        return read(id(x) + header).value

    sample = np.zeros(3)
    return peeked if peeked(sample[1:]) == asked(sample[1:]) else asked


first_number = _start_function()
"""The address of an array's first number, for kernels that are told the array's steps as well."""


def address(x: Array) -> int:
    """The address of an array in C order, for kernels that read its numbers one after another."""
    if not x.flags.c_contiguous:
        message = (
            f"kernels read numbers in C order (got strides {x.strides} for shape {x.shape}); see in_c_order"
        )
        raise AssertionError(message)
    return first_number(x)
