"""softmax and log_softmax of a linear layer: the scores are written where the result belongs, and turned into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, Float
from ..arrays.inputs import check_out
from ..arrays.temperatures import Temperature, temperatures
from ..compile.arithmetic import own_arithmetic
from ..log_softmax import log_softmax
from ..softmax import softmax
from .inputs import layer_of
from .product import product


def _run(
    name: str,
    operator: Callable[..., Array],
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    temperature: Temperature,
    out: Array | None,
) -> Array:
    """An operator along the classes."""
    layer = layer_of(name, x, weight, bias)
    shape = (*layer.shape, len(layer.weight))
    if out is not None:
        check_out(name, out, shape, layer.dtype)
    degrees = temperatures(name, temperature, shape, (len(shape) - 1,))
    scores = product(layer).reshape(shape)
    operator(scores, temperature=degrees, out=scores)
    if out is None and scores.dtype == layer.dtype:
        return scores
    with own_arithmetic():
        if out is None:
            return scores.astype(layer.dtype)
        np.copyto(out, scores, casting="same_kind")
    return out


@overload
def linear_softmax(
    x: npt.NDArray[Float],
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def linear_softmax(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def linear_softmax(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    temperature: Temperature = 1.0,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Probabilities of the classes of a linear layer: ``softmax((x @ weight.T + bias) / temperature)``.

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
    out : array, optional
        Where to write the result: shape (..., classes), dtype of `x`.

    Returns
    -------
    array of the dtype of `x`, shape (..., classes)

    Raises
    ------
    TypeError
        Another dtype, or float64 beside a narrower one.
    ValueError
        Shapes that do not fit together, a temperature out of range, an `out` of another shape or dtype.

    Notes
    -----
    Scores are computed in float32, of float64 in float64, each a sum over the features in their order by fused
    multiply-adds, with the bias added last: the same bits for any number of threads, on every processor with a fused
    multiply-add, and for a row by itself as among others. A score's error is at most
    ``(features + 1) · u · (Σ |x · w| + |bias|)`` with u = 2⁻²⁴ (2⁻⁵³); the softmax of these scores has the special
    values and the bound of `softmax` (``tests/numba_kernels/linear/test_probabilities.py``). No memory but for the
    result, and as much as `x`.

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> linear_softmax(x, weight).round(3)  # of the scores 1, 2 and 3
    array([[0.09 , 0.245, 0.665]])
    """
    return _run("linear_softmax", softmax, x, weight, bias, temperature, out)


@overload
def linear_log_softmax(
    x: npt.NDArray[Float],
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    out: npt.NDArray[Float] | None = ...,
) -> npt.NDArray[Float]: ...
@overload
def linear_log_softmax(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = ...,
    *,
    temperature: Temperature = ...,
    out: npt.NDArray[Any] | None = ...,
) -> npt.NDArray[Any]: ...
def linear_log_softmax(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    temperature: Temperature = 1.0,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Log-probabilities of the classes of a linear layer: ``log_softmax((x @ weight.T + bias) / temperature)``.

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
    out : array, optional
        Where to write the result: shape (..., classes), dtype of `x`.

    Returns
    -------
    array of the dtype of `x`, shape (..., classes)

    Raises
    ------
    TypeError
        Another dtype, or float64 beside a narrower one.
    ValueError
        Shapes that do not fit together, a temperature out of range, an `out` of another shape or dtype.

    Notes
    -----
    The scores are those of `linear_softmax`; of them the special values and the bound of `log_softmax`
    (``tests/numba_kernels/linear/test_probabilities.py``).
    """
    return _run("linear_log_softmax", log_softmax, x, weight, bias, temperature, out)
