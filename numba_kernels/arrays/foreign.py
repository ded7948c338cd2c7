"""Arrays of others as NumPy's: lists, ``__array__``, DLPack; and those whose meaning would be lost on the way."""

import ctypes
from typing import Any

import ml_dtypes
import numpy as np

from .addresses import Array

_CPU = 1
# DLTensor of DLPack: data, device (two int32), ndim (int32); then the dtype, as code and bits (a byte each).
_DTYPE_CODE = 20
_INTEGER, _BFLOAT = 0, 4


def as_array(name: str, x: Any, what: str = "x", cure: str = "x.filled(value)") -> Array:
    """Whatever holds an array, as one of NumPy's: lists, ``__array__``, DLPack.

    A masked array is refused, also in a list: NumPy drops the mask. Of other subclasses the numbers are taken.
    """
    if isinstance(x, np.ma.MaskedArray) or (
        isinstance(x, list | tuple) and any(isinstance(each, np.ma.MaskedArray) for each in x)
    ):
        message = f"{name} takes arrays without a mask (got a masked array as {what}); pass {cure}"
        raise TypeError(message)
    if hasattr(x, "toarray"):  # of scipy.sparse, which NumPy would take for one object
        message = f"{name} takes dense arrays (got {type(x).__name__} as {what}); pass {what}.toarray()"
        raise TypeError(message)
    try:
        return _converted(x)
    except _REFUSALS as error:
        raise _explained(name, x, what, error) from error


def _converted(x: Any) -> Array:
    has_array, has_dlpack = hasattr(x, "__array__"), hasattr(x, "__dlpack__")
    if has_dlpack and not isinstance(x, np.ndarray | np.generic):
        if str(getattr(x, "dtype", "")).endswith("bfloat16") and not _is_numpys(x.dtype):
            return _bfloat16_of(x)
        if not has_array:
            return np.from_dlpack(x)
    return np.asarray(x)


_REFUSALS = (TypeError, ValueError, RuntimeError, BufferError)
"""What NumPy, and libraries asked for an array, refuse by."""


def _explained(name: str, x: Any, what: str, error: Exception) -> Exception:
    """What to do about something that could not be made an array of."""
    kind = type(x).__name__
    if getattr(x, "requires_grad", False):
        cure = f"a {kind} that requires a gradient as {what}); pass {what}.detach()"
    elif hasattr(x, "to_dense"):
        strided = str(getattr(x, "layout", "")).endswith("strided")
        cure = f"a {kind} as {what}: {_first_line(error)}); pass {what}.{'cpu' if strided else 'to_dense'}()"
    elif isinstance(x, list | tuple):
        cure = f"a {kind} as {what}: {_first_line(error)}); make its rows equally long, or stack its arrays before"
    else:
        cure = f"{kind} as {what}: {_first_line(error)}); pass what np.asarray({what}) takes"
    message = f"{name} takes what NumPy can read as an array (got {cure}"
    return ValueError(message) if isinstance(error, ValueError) else TypeError(message)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _is_numpys(dtype: Any) -> bool:
    """Whether a dtype is one of NumPy's, as JAX's are, or a scalar type that stands for one."""
    return isinstance(dtype, np.dtype | type)


class _AsIntegers:
    """A tensor of bfloat16 as the 16-bit integers of its bits: NumPy's DLPack knows no bfloat16."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()

    def __dlpack__(self, **_: Any) -> Any:
        capsule = self._tensor.__dlpack__()
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        start = pointer_of(capsule, b"dltensor")
        code = ctypes.c_uint8.from_address(start + _DTYPE_CODE)
        if code.value == _BFLOAT:
            code.value = _INTEGER
        return capsule


def _bfloat16_of(tensor: Any) -> Array:
    device = tensor.__dlpack_device__()[0]
    if device != _CPU:
        message = f"kernels read tensors in the memory of the CPU (got device {int(device)})"
        raise TypeError(message)
    return np.from_dlpack(_AsIntegers(tensor)).view(ml_dtypes.bfloat16)
