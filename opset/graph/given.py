"""What a user gives as an array, as one of NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(value: Any, what: str) -> NDArray[Any]:
    """
    Return whatever holds an array as one of NumPy's: lists, ``__array__``, DLPack, tensors of bfloat16.

    Raises
    ------
    TypeError
        A masked array, whose mask NumPy would drop.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        message = f"{what} expected an array without a mask (got a masked array); pass x.filled(value)"
        raise TypeError(message)
    if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
        from softops.numba_kernels.arrays.foreign import as_array as from_others  # loads the compiler

        return from_others(what, value)
    return np.asarray(value)
