"""What is found of the scores of a linear layer: their log-sums, the best classes. Of the scores few rows are kept."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, Float
from ..arrays.inputs import check_count
from ..arrays.temperatures import Temperature, is_one, temperatures
from ..compile.arithmetic import own_arithmetic
from ..logsumexp import logsumexp
from ..sampling.topk import topk
from .inputs import Layer, layer_of
from .slab import rows_at_a_time


@overload
def linear_logsumexp(
    x: npt.NDArray[Float],
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
) -> npt.NDArray[Float]: ...
@overload
def linear_logsumexp(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
) -> npt.NDArray[Any]: ...
def linear_logsumexp(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    temperature: Temperature = 1.0,
) -> npt.NDArray[Any]:
    """Logarithm of the sum of exponentials over the classes of a linear layer, without the array of scores.

    ``logsumexp((x @ weight.T + bias) / temperature, axis=-1)``

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., features)
        The rows of features.
    weight : array, shape (classes, features)
        The weights, of float64 where `x` is, else of float16, bfloat16 or float32. Rows are read where they lie; a
        transposed array is copied.
    bias : array, shape (classes,), optional
        What is added to the scores; no wider than they are computed in.
    temperature : float or array
        Above 0 and finite; the scores are divided by it. One for each row: an array of shape (..., 1).

    Returns
    -------
    array of the dtype of `x`, shape (...); a scalar for one row

    Raises
    ------
    TypeError
        Another dtype, or float64 beside a narrower one.
    ValueError
        Shapes that do not fit together, or a temperature out of range.

    Notes
    -----
    The scores are those of `linear_softmax`, with a temperature rounded once more; of them the special values and the
    bound of `logsumexp` (``tests/numba_kernels/linear/test_reductions.py``). Memory, beside a copy of `x`: the scores
    of as many rows as 20 MB hold, of 48 up to 56 MB. The same bits for any number of threads, and for a row by itself.
    """
    name = "linear_logsumexp"
    layer = layer_of(name, x, weight, bias)
    divisors = _divisors(name, layer, temperature)
    with own_arithmetic():
        result = np.full(len(layer.x), -np.inf, layer.x.dtype)
        for rows, (scores,) in rows_at_a_time(layer) if len(layer.weight) else ():
            if divisors is not None:
                np.divide(scores, divisors[rows].astype(scores.dtype), out=scores)
            result[rows] = logsumexp(scores)
        found = result.astype(layer.dtype).reshape(layer.shape)
    return found if layer.shape else found[()]


@overload
def linear_topk(
    x: npt.NDArray[Float],
    weight: npt.ArrayLike,
    k: int,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    probabilities: bool = ...,
) -> tuple[npt.NDArray[Float], npt.NDArray[np.int64]]: ...
@overload
def linear_topk(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    k: int,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    probabilities: bool = ...,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]: ...
def linear_topk(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    k: int,
    bias: npt.ArrayLike | None = None,
    *,
    temperature: Temperature = 1.0,
    probabilities: bool = True,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The k most probable classes of a linear layer, without the array of scores.

    ``topk(x @ weight.T + bias, k, probabilities=probabilities, temperature=temperature)``

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., features)
        The rows of features.
    weight : array, shape (classes, features)
        The weights, of float64 where `x` is, else of float16, bfloat16 or float32. Rows are read where they lie; a
        transposed array is copied.
    k : int
        How many, from 0 to the number of classes.
    bias : array, shape (classes,), optional
        What is added to the scores; no wider than they are computed in.
    temperature : float or array
        Above 0 and finite; the scores are divided by it before the softmax. With `probabilities` alone. One for each
        row: an array of shape (..., 1).
    probabilities : bool
        Return probabilities among all classes; else the scores.

    Returns
    -------
    values : array of the dtype of `x`, shape (..., k), the largest first
    indices : array of int64 of the same shape

    Raises
    ------
    TypeError
        Another dtype, float64 beside a narrower one, or a k that is no integer.
    ValueError
        Shapes that do not fit together, a k or a temperature out of range.

    Notes
    -----
    The scores are those of `linear_softmax`; of them order, ties, special values and the bound of `topk`
    (``tests/numba_kernels/linear/test_reductions.py``). Of halves the scores are compared before they are rounded.
    Memory as of `linear_logsumexp`. The same bits for any number of threads, and for a row by itself.
    """
    name = "linear_topk"
    layer = layer_of(name, x, weight, bias)
    divisors = _divisors(name, layer, temperature)
    count = check_count(name, "k", k, len(layer.weight))
    if divisors is not None and not probabilities:
        message = f"{name} takes a temperature with probabilities alone (got {temperature!r}); pass probabilities=True"
        raise ValueError(message)
    with own_arithmetic():
        values = np.empty((len(layer.x), count), layer.dtype)
        indices = np.empty(values.shape, np.int64)
        for rows, (scores,) in rows_at_a_time(layer) if values.size else ():
            degrees = 1.0 if divisors is None else divisors[rows]
            values[rows], indices[rows] = topk(
                scores, count, probabilities=probabilities, temperature=degrees
            )
    shape = (*layer.shape, count)
    return values.reshape(shape), indices.reshape(shape)


def _divisors(name: str, layer: Layer, temperature: Temperature) -> Array | None:
    """What the scores of each row are divided by, of shape (rows, 1); None for 1."""
    if is_one(temperature):
        return None
    shape = (*layer.shape, len(layer.weight))
    degrees = temperatures(name, temperature, shape, (len(shape) - 1,))
    return np.broadcast_to(degrees, (*layer.shape, 1)).reshape(-1, 1)
