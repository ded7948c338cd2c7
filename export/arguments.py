"""What a head is built from, checked: each function returns what the graph needs or says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .options import DTYPES


def check_weight(weight: ArrayLike, dtype: np.dtype[Any] | None) -> NDArray[Any]:
    """Return ``weight`` as a finite matrix of ``dtype``, or of its own where that is None."""
    array = as_floats("weight", weight, dtype)
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
    array = as_floats("bias", bias, weight.dtype)
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


def check_fraction(name: str, value: object) -> float:
    """Return ``value`` as a number between 0 and 1, neither of them."""
    number = _number(name, value)
    if not 0 < number < 1:
        message = f"expected {name} between 0 and 1 (got {number}); pass for instance {name}=0.5"
        raise ValueError(message)
    return number


def check_fractions(name: str, value: ArrayLike, length: int) -> NDArray[np.float64]:
    """Return ``value``, a number or one for each class, as ``length`` numbers between 0 and 1."""
    return np.array([check_fraction(name, x) for x in _one_or_each(name, value, length)])


def check_temperature(value: ArrayLike, classes: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a temperature, a number or one for each class, in ``dtype``: positive and finite there."""
    numbers = _one_or_each("temperature", value, classes)
    array = as_floats("temperature", numbers, dtype)
    if not (array > 0).all():
        message = (
            f"expected a temperature above 0 (got {array[~(array > 0)][0]}); pass 1 to leave logits as they are, "
            "or activation='hardmax' for the limit at 0"
        )
        raise ValueError(message)
    return array if np.ndim(value) else array[0]


def check_top_k(k: object, classes: int) -> None:
    """Raise unless ``k`` is a number of classes."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        message = f"expected top_k as an integer (got {k!r}); pass for instance top_k=5"
        raise TypeError(message)
    if not 1 <= k <= classes:
        message = f"expected top_k from 1 to {classes}, the number of classes (got {k}); choose one of these"
        raise ValueError(message)


def check_chosen(option: str, chosen: object, available: Sequence[str]) -> tuple[str, ...]:
    """Return names chosen among those available, each once and at least one."""
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        message = f"expected {option} as a list of names (got {chosen!r}); pass {option}=[{available[0]!r}]"
        raise TypeError(message)
    if unknown := [name for name in chosen if name not in available]:
        message = f"expected {option} among {', '.join(available)} (got {unknown[0]!r}); choose among these"
        raise ValueError(message)
    if not chosen or len(set(chosen)) < len(chosen):
        message = f"expected {option} named once, and at least one (got {list(chosen)}); name each once"
        raise ValueError(message)
    return tuple(chosen)


def check_count(name: str, value: object) -> int:
    """Return ``value`` as a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        message = f"expected {name} as an integer (got {value!r}); pass for instance {name}=4"
        raise TypeError(message)
    if value < 1:
        message = f"expected {name} of at least 1 (got {value}); pass how many there are"
        raise ValueError(message)
    return int(value)


def as_floats(name: str, values: ArrayLike, dtype: np.dtype[Any] | None) -> NDArray[Any]:
    """Return a contiguous array of ``dtype`` (its own when None) that is finite."""
    try:
        array = np.asarray(values)
    except ValueError:
        message = f"expected {name} as an array (got rows of different lengths); make them equally long"
        raise ValueError(message) from None
    # Whatever rounds to a float may be converted, but only when asked to by a dtype.
    convertible = array.dtype.kind in "iuf" or array.dtype == ml_dtypes.bfloat16
    if array.dtype.newbyteorder("=") not in DTYPES and (dtype is None or not convertible):
        message = (
            f"expected {name} in float32, float64, float16 or bfloat16 (got {array.dtype}); "
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
    return floats.reshape(array.shape)  # of rank 0 too, which ascontiguousarray makes a vector


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        message = f"expected {name} as a number (got {value!r}); pass for instance {name}=0.5"
        raise TypeError(message)
    return float(value)


def _one_or_each(name: str, value: ArrayLike, length: int) -> NDArray[np.float64]:
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iuf":
        message = f"expected {name} as a number, or one for each class (got {value!r}); pass numbers"
        raise TypeError(message)
    if numbers.shape not in ((), (length,)):
        message = (
            f"expected {name} as one number, or {length} for as many classes (got shape {numbers.shape}); "
            "pass one for each class"
        )
        raise ValueError(message)
    return numbers.astype(np.float64) if numbers.ndim else np.full(1, numbers, np.float64)
