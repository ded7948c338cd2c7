"""What an operator refuses while a user's jitted function is compiled: the messages of `layout`, for types."""

from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError

# The halves are missing: Numba has no code for arrays of them.
KINDS = {types.float32: np.float32(0), types.float64: np.float64(0)}
DTYPES = {types.float32: np.dtype(np.float32), types.float64: np.dtype(np.float64)}


def value_of(option: Any) -> Any:
    """The value of an argument that is known while compiling, a default or a literal; else its type."""
    return getattr(option, "literal_value", getattr(option, "value", option))


def refuse_dtype(name: str, x: Any) -> None:
    """Refuse what is not an array of a dtype that jitted code can hold."""
    if not isinstance(x, types.Array):
        message = f"{name} takes an array inside jitted code (got {x}); pass np.asarray(x)"
        raise TypingError(message)
    if x.dtype not in KINDS:
        known = "float32 or float64 inside jitted code"
        message = f"{name} takes {known} (got {x.dtype}); convert with x.astype(np.float32)"
        raise TypingError(message)


def refuse_out(name: str, out: Any, dtype: Any, rank: int) -> bool:
    """Whether there is an `out`; refuse one that cannot take the result."""
    if value_of(out) is None or isinstance(out, types.NoneType):
        return False
    if not isinstance(out, types.Array) or out.dtype != dtype or out.ndim != rank:
        message = f"{name} gives {dtype} of rank {rank} (got out: {out}); pass np.empty_like(x)"
        raise TypingError(message)
    if not out.mutable:
        message = f"{name} writes to out (got a read-only array); pass np.empty_like(x)"
        raise TypingError(message)
    return True


def axis_out_of_bounds(name: str, x: Any, axis: Any) -> str:
    """Refuse an axis that is no integer; the message for one that turns out to be out of bounds."""
    if x.ndim == 0:
        message = f"{name} works along an axis and takes an array of rank 1 or more (got a scalar); pass x.reshape(1)"
        raise TypingError(message)
    if not isinstance(axis, types.Integer) and not isinstance(value_of(axis), int):
        message = f"{name} works along one axis inside jitted code, an integer (got {axis})"
        raise TypingError(message)
    return f"{name}: axis is out of bounds; an array of rank {x.ndim} has axes from {-x.ndim} to {x.ndim - 1}"


def wrong_shape(name: str) -> str:
    """The message for an out that turns out to have another shape."""
    return f"{name} gives a result of the shape of x (got an out of another shape); pass np.empty_like(x)"


def literal_bool(name: str, option: str, given: Any) -> bool:
    """The value of an option that decides about the type of the result."""
    value = value_of(given)
    if not isinstance(value, bool):
        message = (
            f"{name} takes {option}=True or {option}=False, as written, inside jitted code (got {given})"
        )
        raise TypingError(message)
    return value
