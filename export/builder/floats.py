"""Numbers that a caller gives, as arrays of floats."""

from __future__ import annotations

import sys
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .options import DTYPES


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Return an array of what was given: lists, arrays, PyTorch tensors, what has ``__array__`` or DLPack."""
    torch: Any = sys.modules.get("torch")  # not imported: whoever has a tensor has imported it
    if torch is not None and isinstance(values, torch.Tensor):
        return _of_tensor(name, values, torch)
    if isinstance(values, np.ma.MaskedArray):
        message = f"expected {name} without a mask (got a masked array); pass x.filled(value)"
        raise TypeError(message)
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        return np.from_dlpack(values)
    try:
        return np.asarray(values)
    except ValueError:
        message = f"expected {name} as an array (got rows of different lengths); make them equally long"
        raise ValueError(message) from None


def as_floats(name: str, values: ArrayLike, dtype: np.dtype[Any] | None) -> NDArray[Any]:
    """Return a contiguous array of ``dtype`` (its own when None) that is finite."""
    array = as_array(name, values)
    # Whatever rounds to a float may be converted, but only when asked to by a dtype.
    convertible = array.dtype.kind in "iuf" or array.dtype == ml_dtypes.bfloat16
    if array.dtype.newbyteorder("=") not in DTYPES and (dtype is None or not convertible):
        message = (
            f"expected {name} in float32, float64, float16 or bfloat16 (got {array.dtype}); "
            "convert it to float32 or pass dtype='float32'"
        )
        raise TypeError(message)
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(array, dtype or array.dtype.newbyteorder("="))
    finite = np.isfinite(floats)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        message = (
            f"expected {name} of finite {floats.dtype} numbers (got {array[where]} at {list(where)}); "
            "look at the training, or choose a wider dtype"
        )
        raise ValueError(message)
    return floats.reshape(array.shape)  # of rank 0 too, which ascontiguousarray makes a vector


def _of_tensor(name: str, tensor: Any, torch: Any) -> NDArray[Any]:
    """Return a tensor's numbers, where it lies in memory without a copy."""
    if tensor.is_meta:
        message = f"expected {name} with values (got a tensor on the device meta); load the weights first"
        raise ValueError(message)
    values = tensor.detach().cpu()
    if values.layout is not torch.strided:
        values = values.to_dense()
    if values.dtype is torch.bfloat16:  # which NumPy does not know
        array: NDArray[Any] = values.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return array
    try:
        array = values.numpy()
    except (TypeError, RuntimeError):
        message = (
            f"expected {name} in float32, float64, float16 or bfloat16 (got {values.dtype}); "
            "convert it to float32"
        )
        raise TypeError(message) from None
    return array
