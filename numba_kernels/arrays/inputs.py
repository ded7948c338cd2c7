"""What a user gives, as arrays that kernels take, and the checks and messages that all operators share."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.exceptions import AxisError
from numpy.lib.array_utils import normalize_axis_index

from ..vector import KINDS
from .addresses import Array
from .foreign import as_array

_CURE = "x.filled(value), or to softmax, log_softmax and logsumexp x.data and where=~np.ma.getmaskarray(x)"


def as_floats(name: str, x: npt.ArrayLike) -> Array:
    """`x` as an array of a dtype the kernels take."""
    given = x
    if type(x) is not np.ndarray:
        x = in_float64(x, as_array(name, x, cure=_CURE))
    if x.dtype not in KINDS:
        known = "float16, bfloat16, float32 or float64"
        message = f"{name} takes {known} (got {_called(given, x)}); convert with {_conversion(given, x)}"
        raise TypeError(message)
    return x


def in_float64(given: Any, x: Array) -> Array:
    """Whole numbers that Python gave, in a list or by themselves, as it has floats; those of an array have a dtype."""
    whole = x.dtype.kind in "iu" and isinstance(given, list | tuple | int)
    return x.astype(np.float64) if whole else x


def _called(given: Any, x: Array) -> str:
    """What came, in an array that kernels do not take."""
    is_odd = x.dtype == object and x.ndim == 0 and not isinstance(given, np.ndarray)
    return type(given).__name__ if is_odd else str(x.dtype)


def _conversion(given: Any, x: Array) -> str:
    """How to make of it what they take."""
    if x.dtype.kind == "c":
        return "np.real(x) or np.abs(x)"
    if x.dtype == object and x.ndim == 0:
        return "np.array(numbers, np.float32), of numbers in a list"
    return "x.astype(np.float32)" if isinstance(given, np.ndarray) else "np.asarray(x, np.float32)"


def computing_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What numbers of a dtype that kernels take are computed in: float32 for halves, else the same."""
    return np.dtype(np.float32) if dtype.itemsize == 2 else dtype


def as_pair(name: str, a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Array]:
    """Two arrays of one shape and one dtype that the kernels take."""
    first, second = as_floats(name, a), as_floats(name, b)
    if first.dtype != second.dtype:
        message = f"{name} takes two arrays of one dtype (got {first.dtype} and {second.dtype}); convert one"
        raise TypeError(message)
    if first.shape != second.shape:
        message = f"{name} takes two arrays of one shape (got {first.shape} and {second.shape})"
        raise ValueError(message)
    return first, second


def check_axis(name: str, x: Array, axis: Any) -> int:
    """The axis counted from the front."""
    if x.ndim == 0:
        message = f"{name} works along an axis and takes an array of rank 1 or more (got a scalar); pass x.reshape(1)"
        raise ValueError(message)
    return normalized(axis, x.ndim)


def normalized(axis: Any, rank: int) -> int:
    """An axis counted from the front; one beyond a C int NumPy refuses by another error than others out of bounds."""
    if isinstance(axis, int | np.integer) and not -rank <= axis < rank:
        raise AxisError(int(axis), rank)
    return int(normalize_axis_index(axis, rank))


def check_count(name: str, what: str, given: Any, most: int | None = None) -> int:
    """A whole number from 0 on, at most the length of an axis."""
    try:
        count = operator.index(given)
    except TypeError:
        message = f"{name} takes an integer as {what} (got {given!r}); pass for instance {what}=5"
        raise TypeError(message) from None
    if count < 0 or (most is not None and count > most):
        wanted = "0 on" if most is None else f"0 to {most}, the length of the axis"
        message = f"{name} takes a {what} from {wanted} (got {count})"
        raise ValueError(message)
    return count


def check_out(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an `out` that cannot take the result."""
    if isinstance(out, np.ma.MaskedArray):
        message = f"{name} writes to arrays without a mask (got a masked array as out); pass out.data"
        raise TypeError(message)
    if isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype and out.flags.writeable:
        return
    wanted = f"np.empty({shape}, {dtype.name!r})"
    if not isinstance(out, np.ndarray):
        message = f"{name} writes to an array (got out of type {type(out).__name__}); pass {wanted}"
        raise TypeError(message)
    if out.shape != shape or out.dtype != dtype:
        message = f"{name} gives {dtype} of shape {shape} (got out: {out.dtype} of shape {out.shape}); pass {wanted}"
        raise ValueError(message)
    message = f"{name} writes to out (got a read-only array); pass {wanted}"
    raise ValueError(message)


def broadcast(name: str, what: str, given: Array, shape: tuple[int, ...]) -> Array:
    """An array in the shape of x, not copied."""
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        message = (
            f"{name} takes a {what} that broadcasts to the shape of x, {shape} (got {given.shape}); "
            "add axes of length 1"
        )
        raise ValueError(message) from None


def as_mask(name: str, mask: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """A mask in the shape of x, not copied."""
    given = as_array(name, mask, "where", "where.filled(False)")
    if given.dtype != np.bool_:
        message = (
            f"{name} takes a where of bool (got {given.dtype}); compare, or convert with where.astype(bool)"
        )
        raise TypeError(message)
    return broadcast(name, "where", given, shape)
