"""The scores of a linear layer whose weights lie in shards of classes: a block for each chunk of rows and shard."""

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.inputs import as_floats, computing_type
from ..compile.arithmetic import own_arithmetic
from ..linear.inputs import layer_of
from ..linear.product import product
from .arguments import floats
from .tasks import task


class Layer(NamedTuple):
    """The scores of a layer, in the computing type, shape (..., classes); and what they are of."""

    scores: da.Array
    x: da.Array
    weight: da.Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of x, and of results."""
        dtype: np.dtype[Any] = self.x.dtype
        return dtype


def scores_of(
    name: str,
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    bias: npt.ArrayLike | da.Array | None,
) -> Layer:
    """The arguments of a linear layer, checked, and its scores."""
    weights = floats(name, weight, "weight")
    rows = floats(name, x if isinstance(x, da.Array) else da.asarray(as_floats(name, x)))
    biases = None if bias is None else _bias(name, bias, weights)
    _check(name, rows, weights, biases)
    batch = tuple(range(rows.ndim - 1))
    classes, features = rows.ndim, rows.ndim + 1
    computed = computing_type(rows.dtype)
    scores = da.blockwise(
        _scores,
        (*batch, classes),
        rows,
        (*batch, features),
        weights,
        (classes, features),
        biases,
        None if biases is None else (classes,),
        dtype=computed,
        meta=np.empty((0,) * rows.ndim, computed),
        align_arrays=False,
        concatenate=True,
        operator=name,
    )
    return Layer(scores, rows, weights)


def _bias(name: str, bias: npt.ArrayLike | da.Array, weights: da.Array) -> da.Array:
    given = floats(name, bias if isinstance(bias, da.Array) else da.asarray(as_floats(name, bias)), "bias")
    if given.shape != weights.shape[:1]:
        message = f"{name} takes a bias for each class, of shape {weights.shape[:1]} (got {given.shape})"
        raise ValueError(message)
    return given.rechunk((weights.chunks[0],))


def _check(name: str, rows: da.Array, weights: da.Array, biases: da.Array | None) -> None:
    if weights.ndim != 2 or rows.ndim == 0 or rows.shape[-1] != weights.shape[1]:
        message = (
            f"{name} takes x of shape (..., features) and weight of shape (classes, features) "
            f"(got {rows.shape} and {weights.shape}); a weight of shape (features, classes) is passed as weight.T"
        )
        raise ValueError(message)
    # the dtypes, by arrays without a number
    x, weight = (np.empty((0, 0), array.dtype) for array in (rows, weights))
    layer_of(name, x, weight, None if biases is None else np.empty(0, biases.dtype))
    for what, array, axis in (("x", rows, rows.ndim - 1), ("weight", weights, 1)):
        if array.numblocks[axis] > 1:
            message = (
                f"{name} takes all features of {what} in one chunk (got chunks {array.chunks[axis]}); "
                f"pass {what}.rechunk({{{axis}: -1}})"
            )
            raise ValueError(message)


@task
def _scores(rows: Array, weights: Array, biases: Array | None, operator: str) -> Array:
    layer = layer_of(operator, rows, weights, biases)
    return product(layer).reshape(*layer.shape, len(layer.weight))


def divided(scores: da.Array, temperature: float) -> da.Array:
    """Scores over a temperature, rounded once more."""
    if temperature == 1.0:
        return scores
    return scores.map_blocks(_divided, temperature=temperature, dtype=scores.dtype, meta=scores._meta)


@task
def _divided(scores: Array, temperature: float) -> Array:
    with own_arithmetic():
        quotients: Array = np.divide(scores, scores.dtype.type(temperature))
    return quotients


def rounded(result: da.Array, dtype: np.dtype[Any]) -> da.Array:
    """A result of scores in the dtype of x."""
    if result.dtype == dtype:
        return result
    return result.map_blocks(_rounded, stored=dtype, dtype=dtype, meta=np.empty((0,) * result.ndim, dtype))


@task
def _rounded(result: Array, stored: np.dtype[Any]) -> Array:
    with own_arithmetic():
        return np.asarray(result).astype(stored)
