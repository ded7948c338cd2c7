"""Whole numbers and axes that a caller names, checked."""

from __future__ import annotations

import numpy as np

COUNT_MAX = 2**31 - 1
"""The product of two is still an int64, in which ONNX holds dimensions."""


def check_integer(name: str, value: object, example: int = 4) -> int:
    """Return ``value`` as an int; NumPy's integers are some, booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        message = f"expected {name} as an integer (got {value!r}); pass for instance {name}={example}"
        raise TypeError(message)
    return int(value)


def check_count(name: str, value: object, most: int = COUNT_MAX) -> int:
    """Return ``value`` as a whole number of at least 1."""
    number = check_integer(name, value)
    if not 1 <= number <= most:
        message = f"expected {name} from 1 to {most} (got {number}); pass how many there are"
        raise ValueError(message)
    return number


def check_top_k(k: object, classes: int) -> int:
    """Return ``k`` as a number of classes."""
    number = check_integer("top_k", k, 5)
    if not 1 <= number <= classes:
        message = (
            f"expected top_k from 1 to {classes}, the number of classes (got {number}); choose one of these"
        )
        raise ValueError(message)
    return number


def check_axis(name: str, value: object) -> str | int:
    """Return what an axis is called, or its length where that is fixed."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | np.integer):
        message = f"expected {name} as the name of an axis or its length (got {value!r}); pass {name!r}"
        raise TypeError(message)
    if isinstance(value, str):
        message = f"expected {name} as the name of an axis or its length (got ''); pass {name!r}"
        raise ValueError(message)
    return check_count(name, value)


def check_batch_name(batch: str | int, **axes: str | int) -> None:
    """Raise where another axis is called like the batch: runtimes take axes of one name for equally long."""
    for name, axis in axes.items():
        if isinstance(axis, str) and axis == batch:
            message = f"expected a name of its own for the batch axis (got {batch!r} twice); rename {name}"
            raise ValueError(message)
