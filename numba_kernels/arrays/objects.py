"""Python's and NumPy's objects seen from machine code: where their fields lie, and the C functions that make them.

It holds in CPython on 64 bits with NumPy 2, where it is part of the ABI that extension modules are compiled against.
`layout_holds` compares it with what Python says; machine code may only read objects after that.
"""

import ctypes
import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from .inputs import Array

# Where fields lie, in bytes: of an object, of an array (PyArrayObject_fields), of a dtype (PyArray_Descr).
TYPE = 8
DATA, NDIM, SHAPE, DESCR, FLAGS = 16, 24, 32, 56, 64
BYTE_ORDER = 26

NATIVE = ord("=")
PLAIN, WRITEABLE = 0x101, 0x400  # flags: C-contiguous and aligned; writeable

# Where PyArray_Empty stands in NumPy's C interface; at 0 is the function for the ABI's version, at 2 the array type.
_PYARRAY_EMPTY = 184


def _read(place: Any, offset: Any, width: int) -> Any:
    """The integer of so many bits, zero-extended, at an address and an offset."""
    builder, wide = place.builder, ir.IntType(64)
    value = builder.load(builder.inttoptr((place + offset).ir, ir.IntType(width).as_pointer()), align=1)
    return place.new(types.int64, value if width == 64 else builder.zext(value, wide))


def word(place: Any, offset: Any) -> Any:
    """The pointer, or as wide an integer, at an address and an offset."""
    return _read(place, offset, 64)


def int32(place: Any, offset: Any) -> Any:
    """The integer of 32 bits at an address and an offset."""
    return _read(place, offset, 32)


def byte(place: Any, offset: Any) -> Any:
    """The byte at an address and an offset."""
    return _read(place, offset, 8)


def call_c(function: Any, *arguments: Any) -> Any:
    """Call the C function at an address; its result as a word."""
    c_type = ir.FunctionType(ir.IntType(64), [argument.ir.type for argument in arguments])
    pointer = function.builder.inttoptr(function.ir, c_type.as_pointer())
    return function.new(types.int64, function.builder.call(pointer, [argument.ir for argument in arguments]))


def _peek(place: int, c_type: Any = ctypes.c_ssize_t) -> Any:
    return c_type.from_address(place).value


def _lies_as_read(x: Array) -> bool:
    """Whether the fields of an array are where this module says; one that is not ends the look before it can harm."""
    at, descr, flags = id(x), id(x.dtype), x.flags
    wanted = flags.c_contiguous * 0x1 + flags.aligned * 0x100 + flags.writeable * WRITEABLE
    return (
        (_peek(at + TYPE), _peek(at + DESCR)) == (id(np.ndarray), descr)
        and (_peek(at + DATA), _peek(at + NDIM, ctypes.c_int)) == (x.ctypes.data, x.ndim)
        and [_peek(_peek(at + SHAPE) + 8 * i) for i in range(x.ndim)] == list(x.shape)
        and _peek(at + FLAGS, ctypes.c_int) & (PLAIN | WRITEABLE) == wanted
        and _peek(descr + TYPE) == id(type(x.dtype))
        and chr(_peek(descr + BYTE_ORDER, ctypes.c_uint8)) == x.dtype.byteorder
    )


def layout_holds() -> bool:
    """Whether objects lie in memory the way this module says."""
    # nothing more in front of an object (as without the GIL), room for what is read, words of 64 bits
    sizes = (object.__basicsize__, np.ndarray.__basicsize__ >= FLAGS + 8, np.dtype.__basicsize__ > BYTE_ORDER)
    machine = (sys.implementation.name, sys.byteorder, ctypes.sizeof(ctypes.c_void_p))
    if (sizes, machine) != ((16, True, True), ("cpython", "little", 8)):
        return False
    whole, unaligned = np.zeros((3, 2, 5), np.float32), np.zeros(21, np.uint8)[1:].view(">f4")
    unaligned.flags.writeable = False
    return all(_lies_as_read(x) for x in (whole, whole[1:], whole[:, 1], unaligned))


def python_function(name: str) -> int:
    """The address of a function of CPython's C interface."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0


def array_allocator() -> int:
    """The address of ``PyArray_Empty(ndim, shape, descr, fortran)``, which takes a reference to `descr` away.

    0 where NumPy's C interface is not that of NumPy 2.
    """
    capsule = getattr(sys.modules.get("numpy._core._multiarray_umath"), "_ARRAY_API", None)
    if capsule is None:
        return 0
    pointer_of: Any = ctypes.PYFUNCTYPE(ctypes.c_ssize_t, ctypes.py_object, ctypes.c_char_p)
    interface: int = pointer_of(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, None)
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(_peek(interface))()
    known = version >> 24 == 2 and _peek(interface + 2 * 8) == id(np.ndarray)
    return _peek(interface + 8 * _PYARRAY_EMPTY) if known else 0


def built_in(method: int, bound: Any) -> Any:
    """The Python function of the PyMethodDef at an address, which has to live as long; `bound` is its `self`."""
    make: Any = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return make(("PyCFunction_NewEx", ctypes.pythonapi))(method, bound, None)
