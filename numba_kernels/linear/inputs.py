"""What a user gives to a linear layer, as rows and weights that kernels take, and the messages that all share."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.inputs import as_floats, computing_type


class Layer(NamedTuple):
    """Rows of features in C order and a bias, both of the computing type, and weights whose rows are contiguous."""

    x: Array
    weight: Array
    bias: Array
    shape: tuple[int, ...]
    """That of the given x without its last axis."""
    dtype: np.dtype[Any]
    """That of the given x, and of the result."""


def layer_of(name: str, x: npt.ArrayLike, weight: npt.ArrayLike, bias: npt.ArrayLike | None) -> Layer:
    """The arguments of a linear layer, checked."""
    rows, weights = as_floats(name, x), as_floats(name, weight)
    if weights.ndim != 2 or rows.ndim == 0 or rows.shape[-1] != weights.shape[1]:
        message = (
            f"{name} takes x of shape (..., features) and weight of shape (classes, features) "
            f"(got {rows.shape} and {weights.shape}); a weight of shape (features, classes) is passed as weight.T"
        )
        raise ValueError(message)
    computed = computing_type(rows.dtype)
    if computing_type(weights.dtype) != computed:
        message = (
            f"{name} takes x and weight both in float64, or neither "
            f"(got {rows.dtype} and {weights.dtype}); convert one"
        )
        raise TypeError(message)
    shape = rows.shape[:-1]
    flat = in_c_order(rows, computed).reshape(-1, rows.shape[-1]) if rows.size else _empty(rows, computed)
    if weights.strides[1] != weights.itemsize and weights.shape[1] > 1:
        weights = in_c_order(weights)
    return Layer(flat, weights, _bias(name, bias, len(weights), computed), shape, rows.dtype)


def _empty(rows: Array, dtype: np.dtype[Any]) -> Array:
    return np.empty((int(np.prod(rows.shape[:-1])), rows.shape[-1]), dtype)


def _bias(name: str, bias: npt.ArrayLike | None, classes: int, dtype: np.dtype[Any]) -> Array:
    if bias is None:
        return np.zeros(classes, dtype)
    given = as_floats(name, bias)
    if given.shape != (classes,):
        message = f"{name} takes a bias for each class, of shape ({classes},) (got {given.shape})"
        raise ValueError(message)
    if given.itemsize > dtype.itemsize:
        message = (
            f"{name} computes in {dtype} and takes no {given.dtype} bias; "
            f"convert with bias.astype({dtype.name!r})"
        )
        raise TypeError(message)
    return in_c_order(given, dtype)
