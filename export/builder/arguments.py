"""What a head is built from, checked: each function returns what the graph needs or says what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .floats import as_array, as_floats
from .options import RESERVED

TEMPERATURE_KEY = f"{RESERVED}temperature"
"""Key of the model's metadata that holds the temperature: a JSON number, or a list of one for each class."""


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
    names = _listed(labels)
    if len(names) != classes:
        message = (
            f"expected {classes} labels, one for each class (got {len(names)}); "
            "name every class once, in the order of the columns"
        )
        raise ValueError(message)
    strings = all(isinstance(name, str) for name in names)
    integers = all(isinstance(name, int | np.integer) and not isinstance(name, bool) for name in names)
    if not strings and not integers:
        kinds = ", ".join(sorted({type(name).__name__ for name in names}))
        message = f"expected labels that are all strings or all integers (got {kinds}); convert them first"
        raise TypeError(message)
    if len(set(names)) != classes:
        repeated = next(name for name, count in Counter(names).items() if count > 1)
        message = f"expected labels that differ (got {repeated!r} more than once); name each class once"
        raise ValueError(message)
    if strings:
        _check_text(names)
        return np.array(names, dtype=object)
    if names == list(range(classes)):
        return None
    try:
        return np.array(names, dtype=np.int64)
    except OverflowError:
        message = "expected integer labels within int64 (got a larger one); pass them as strings"
        raise ValueError(message) from None


def _listed(labels: Any) -> list[Any]:
    """Return labels as a list; what has no order of its own, or keys and values, is none."""
    if isinstance(labels, np.ndarray) and labels.ndim:
        return list(labels.tolist())
    if isinstance(labels, str | bytes | Mapping | Set | np.ndarray) or not isinstance(labels, Iterable):
        got = {str: f"the string {labels!r}", np.ndarray: "a single value"}.get(
            type(labels), f"{type(labels).__name__}"
        )
        message = (
            f"expected labels as a list of strings or integers, in the order of the classes (got {got}); "
            "pass a list"
        )
        raise TypeError(message)
    return list(labels)


def _check_text(names: Sequence[str]) -> None:
    try:
        for name in names:
            name.encode()
    except UnicodeEncodeError:
        message = f"expected labels that can be written in UTF-8 (got {name!r}); replace its surrogates"
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


def check_positive(name: str, value: object, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return ``value`` as a number of ``dtype`` that is above 0 and finite there."""
    number = _number(name, value)
    with np.errstate(over="ignore"):
        array = np.asarray(number, dtype)
    if not 0 < array < np.inf:
        message = (
            f"expected {name} above 0 and finite in {dtype} (got {number}); leave it out for the default"
        )
        raise ValueError(message)
    return array


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        message = f"expected {name} as a number (got {value!r}); pass for instance {name}=0.5"
        raise TypeError(message)
    return float(value)


def _one_or_each(name: str, value: ArrayLike, length: int) -> NDArray[np.float64]:
    numbers = as_array(name, value)
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
