"""Temperatures as users give them: a number, or an array of one for each row."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..vector import KINDS
from .addresses import Array
from .foreign import as_array

Temperature = float | npt.ArrayLike


def is_number(temperature: Any) -> bool:
    """Whether it is a number, as Python or NumPy have them."""
    return isinstance(temperature, int | float | np.integer | np.floating)


def is_one(temperature: Any) -> bool:
    """Whether it is the number 1, which changes nothing."""
    return is_number(temperature) and bool(temperature == 1)


def checked_temperature(name: str, temperature: Any) -> float:
    """A number as a positive finite float."""
    if not is_number(temperature) or not 0 < temperature < math.inf:
        message = f"{name} takes a temperature above 0 and finite, as a float (got {temperature!r})"
        raise ValueError(message)
    return float(temperature)


def temperatures(
    name: str, given: Any, shape: tuple[int, ...], axes: tuple[int, ...], *, zero: bool = False
) -> float | Array:
    """A number as a float; an array of one for each row as float64, with the rank of x and length 1 along its axes.

    `shape` is that of x, `axes` those along which a temperature is one and the same; `zero` allows 0.
    """
    if is_number(given):
        return float(given) if zero and given == 0 else checked_temperature(name, given)
    array = as_array(name, given, "temperature", "temperature.filled(1)")
    if array.dtype.kind not in "fiu" and array.dtype not in KINDS:
        message = (
            f"{name} takes a number as temperature (got {given!r}), or an array of one for each row; "
            "pass for instance temperature=0.7"
        )
        raise TypeError(message)
    wide = array.astype(np.float64)
    if wide.ndim > len(shape) or not _broadcasts(_aligned(wide.shape, shape), shape, axes):
        own = tuple(1 if d in axes else n for d, n in enumerate(shape))
        batch = tuple(n for d, n in enumerate(shape) if d not in axes)
        cure = (
            f"pass temperature.reshape{own}"
            if wide.shape == batch
            else "divide x itself by one for each class"
        )
        message = f"{name} takes a temperature for each row, of shape {own} here (got {wide.shape}); {cure}"
        raise ValueError(message)
    right = (wide >= 0 if zero else wide > 0) & (wide < np.inf)
    if not right.all():
        bound = "from 0 on" if zero else "above 0"
        message = f"{name} takes temperatures {bound} and finite (got {wide[~right].flat[0]})"
        raise ValueError(message)
    return wide.reshape(_aligned(wide.shape, shape)) if wide.ndim else float(wide)


def by_row(degrees: Array, shape: tuple[int, ...], axis: int) -> Array:
    """An array of `temperatures`, one after another for all rows along an axis, in C order of the others."""
    return np.broadcast_to(degrees, [1 if d == axis else n for d, n in enumerate(shape)]).reshape(-1)


def _aligned(given: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (len(shape) - len(given)) + given


def _broadcasts(given: tuple[int, ...], shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    return all(n == 1 or (n == shape[d] and d not in axes) for d, n in enumerate(given))
