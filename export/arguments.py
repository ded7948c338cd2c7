"""What a head is built from, checked: each function returns what the graph needs or says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray

OPSET_MIN = 7
"""The oldest opset that heads are built for: from here on Gemm broadcasts its bias."""

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def check_opset(opset: int) -> None:
    """Raise unless ``opset`` is one that heads are built for."""
    if isinstance(opset, bool) or not isinstance(opset, int | np.integer):
        message = f"expected the opset as an integer (got {opset!r}); pass for instance opset=17"
        raise TypeError(message)
    newest = onnx.defs.onnx_opset_version()
    if not OPSET_MIN <= opset <= newest:
        message = (
            f"expected an opset from {OPSET_MIN} to {newest} (got {opset}, which is not known here); "
            "choose one of these, or install a newer onnx"
        )
        raise ValueError(message)


def check_batch(batch: str | int) -> None:
    """Raise unless ``batch`` is the name of an axis or a number of rows."""
    if isinstance(batch, bool) or not isinstance(batch, str | int | np.integer):
        message = f"expected batch as the name of an axis or a number of rows (got {batch!r}); pass 'batch'"
        raise TypeError(message)
    if batch == "" or (not isinstance(batch, str) and batch < 1):
        message = f"expected batch as a name or at least 1 row (got {batch!r}); pass 'batch' to leave it open"
        raise ValueError(message)


def check_weight(weight: ArrayLike, dtype: DTypeLike | None) -> NDArray[Any]:
    """Return ``weight`` as a finite matrix of float32 or float64."""
    array = _as_floats("weight", weight, None if dtype is None else _check_dtype(dtype))
    if array.ndim != 2 or 0 in array.shape:
        message = (
            f"expected weight of shape (classes, features), neither of them 0 (got {array.shape}); "
            "pass one row of coefficients for each class"
        )
        raise ValueError(message)
    return array


def check_bias(bias: ArrayLike | None, weight: NDArray[Any]) -> NDArray[Any] | None:
    """Return ``bias`` as a finite vector that fits ``weight``, in its dtype."""
    if bias is None:
        return None
    array = _as_floats("bias", bias, weight.dtype)
    if array.shape != (len(weight),):
        message = (
            f"expected bias of shape ({len(weight)},), one number for each class (got {array.shape}); "
            "transpose the weight if its rows are features"
        )
        raise ValueError(message)
    return array


def check_labels(
    labels: Sequence[str] | Sequence[int] | NDArray[Any] | None, classes: int
) -> NDArray[Any] | None:
    """Return ``labels`` as an array of int64 or of str objects; None where the index is the label."""
    if labels is None:
        return None
    if isinstance(labels, str):
        message = f"expected labels as a list of strings or integers (got the string {labels!r}); pass a list"
        raise TypeError(message)
    names = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    if not isinstance(names, list) or len(names) != classes:
        got = f"{len(names)}" if isinstance(names, list) else "a single value"
        message = (
            f"expected {classes} labels, one for each row of weight (got {got}); "
            "name every class once, in the order of the rows"
        )
        raise ValueError(message)
    strings = all(isinstance(name, str) for name in names)
    integers = all(isinstance(name, int | np.integer) and not isinstance(name, bool) for name in names)
    if not strings and not integers:
        kinds = ", ".join(sorted({type(name).__name__ for name in names}))
        message = f"expected labels that are all strings or all integers (got {kinds}); convert them first"
        raise TypeError(message)
    if len(set(names)) != classes:
        repeated = next(name for name in names if names.count(name) > 1)
        message = f"expected labels that differ (got {repeated!r} more than once); name each class once"
        raise ValueError(message)
    if strings:
        return np.array(names, dtype=object)
    if names == list(range(classes)):
        return None
    try:
        return np.array(names, dtype=np.int64)
    except OverflowError:
        message = "expected integer labels within int64 (got a larger one); pass them as strings"
        raise ValueError(message) from None


def _check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        known = np.dtype(dtype)
    except TypeError:
        known = np.dtype(object)
    if known not in _DTYPES:
        message = f"expected dtype float32 or float64 (got {dtype!r}); pass for instance dtype='float32'"
        raise TypeError(message)
    return known


def _as_floats(name: str, values: ArrayLike, dtype: np.dtype[Any] | None) -> NDArray[Any]:
    """Return a contiguous array of ``dtype`` (its own when None) that is finite."""
    try:
        array = np.asarray(values)
    except ValueError:
        message = f"expected {name} as an array (got rows of different lengths); make them equally long"
        raise ValueError(message) from None
    # Whatever rounds to a float may be converted, but only when asked to by a dtype.
    convertible = array.dtype.kind in "iuf" or array.dtype.name == "bfloat16"
    if array.dtype.newbyteorder("=") not in _DTYPES and (dtype is None or not convertible):
        message = (
            f"expected {name} in float32 or float64 (got {array.dtype}); "
            f"convert it with {name}.astype(np.float32) or pass dtype='float32'"
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
    return floats
