"""What the noise of rows is keyed by: their seeds and numbers, from what a user gives."""

import operator
import secrets
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.foreign import as_array

Seed = int | npt.ArrayLike | None
_WORD = 2**64


def keys_of(name: str, seed: Seed, rows: int | npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """(key, key above, number) of each row of a batch of that shape, as int64 that hold 64 bits each."""
    count = int(np.prod(shape, dtype=np.int64))
    keys = np.empty((count, 3), np.uint64)
    if seed is None:
        seed = secrets.randbits(128)
    whole = _whole(seed)
    if whole is None:
        keys[:, 0], keys[:, 1] = _words(name, "seed", seed, shape).reshape(-1), 0
    elif 0 <= whole < _WORD**2:
        keys[:, 0], keys[:, 1] = whole % _WORD, whole // _WORD
    else:
        message = f"{name} takes a seed from 0 to 2^128 - 1 (got {whole}); pass for instance seed=0"
        raise ValueError(message)
    first = _whole(rows)
    if first is None:
        keys[:, 2] = _words(name, "rows", rows, shape).reshape(-1)
    elif 0 <= first <= _WORD - count:
        # rows of one seed are told apart by their numbers, others by their seeds
        counted = np.arange(count, dtype=np.uint64) if whole is not None else np.uint64(0)
        keys[:, 2] = counted + np.uint64(first)
    else:
        message = f"{name} takes the number of the first row, from 0 on, as rows (got {first}); pass rows=0"
        raise ValueError(message)
    return keys.view(np.int64)


def _whole(number: Any) -> int | None:
    try:
        return operator.index(number)
    except TypeError:
        return None


def _words(name: str, what: str, given: Any, shape: tuple[int, ...]) -> Array:
    """An integer for each row, none of them negative."""
    words = as_array(name, given, what, f"{what}.filled(0)")
    if words.dtype.kind not in "iu":
        message = (
            f"{name} takes an integer, or an array of one a row, as {what} (got {words.dtype}); convert it"
        )
        raise TypeError(message)
    if words.size and words.min() < 0:
        message = f"{name} takes a {what} of integers from 0 on (got {words.min()}); pass none below 0"
        raise ValueError(message)
    try:
        return np.broadcast_to(words, shape).astype(np.uint64)
    except ValueError:
        message = (
            f"{name} takes one integer a row, of shape {shape}, as {what} (got shape {words.shape}); "
            "leave out the axis of classes"
        )
        raise ValueError(message) from None
