"""Gumbel's noise by itself, and gumbel_softmax: a draw that can be differentiated."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Float, address
from ..arrays.inputs import as_floats, check_axis, check_count
from ..arrays.layout import launch
from ..arrays.temperatures import Temperature, temperatures
from ..compile.arithmetic import own_arithmetic
from ..compile.kernels import over_rows
from ..hardmax import hardmax
from ..softmax import softmax
from ..vector import load_scalar, loop, maximum, minimum, split, store, store_partial, traced, when
from .keys import Seed, keys_of
from .noise import CLASSES, Stream


@traced
def _noise_rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> None:
    """Write the noise of rows; `src` is (address of their keys, number of the draw)."""
    keys, draw = src
    with loop(first, last) as i:
        key, key_above, row = (load_scalar(n, keys + i * 24 + 8 * j) for j in range(3))
        stream = Stream(key, key_above, row, draw)
        to = dst + i * n * 8
        whole = n // CLASSES
        with loop(0, whole) as group:
            for j, part in enumerate(split(stream.gumbels(group))):
                store(kind, to, part, 2 * group + j)
        with when(whole * CLASSES < n):
            for j, part in enumerate(split(stream.gumbels(whole))):
                done = whole * CLASSES + 8 * j
                store_partial(kind, to + done * 8, part, maximum(minimum(n - done, 8), 0))


_KERNELS = over_rows(_noise_rows, cost=8.0)


def gumbel_noise(
    shape: tuple[int, ...], *, seed: Seed = None, rows: int | npt.ArrayLike = 0, draw: int = 0
) -> npt.NDArray[np.float64]:
    """The noise by which `sample` draws: ``argmax(logits / temperature + noise)`` is its draw.

    For what draws elsewhere, in a graph for instance, and is to be compared.

    Parameters
    ----------
    shape : tuple of int
        Of the result, classes along the last axis.
    seed : int or array of int, optional
        As of `sample`.
    rows : int or array of int
        As of `sample`.
    draw : int
        The number of the draw: `sample` counts those of a row from 0 on.

    Returns
    -------
    array of float64 of that shape

    Raises
    ------
    TypeError
        An argument that is no integer.
    ValueError
        A negative number, no axis, or a `seed` or `rows` of another shape than the batch.

    Notes
    -----
    −log(−log u) with the uniform numbers u of `sample`, within 2⁻⁵² of it, relative or absolute, whichever is more
    (``tests/numba_kernels/sampling/test_noise.py``). From −3.6 to 36.7: as 52 bits give it, not the 24 of float32.
    """
    name = "gumbel_noise"
    lengths = tuple(check_count(name, "shape", n) for n in shape)
    if not lengths:
        message = f"{name} takes a shape with an axis of classes (got ()); pass for instance (1000,)"
        raise ValueError(message)
    number = check_count(name, "draw", draw)
    keys = keys_of(name, seed, rows, lengths[:-1])
    noise = np.empty(lengths)
    if noise.size:
        launch(_KERNELS, noise, len(keys), address(noise), (address(keys), number), lengths[-1])
    return noise


@overload
def gumbel_softmax(
    logits: npt.NDArray[Float],
    axis: int = ...,
    *,
    temperature: Temperature = ...,
    hard: bool = ...,
    seed: Seed = ...,
    rows: int | npt.ArrayLike = ...,
) -> npt.NDArray[Float]: ...
@overload
def gumbel_softmax(
    logits: npt.ArrayLike,
    axis: int = ...,
    *,
    temperature: Temperature = ...,
    hard: bool = ...,
    seed: Seed = ...,
    rows: int | npt.ArrayLike = ...,
) -> npt.NDArray[Any]: ...
def gumbel_softmax(
    logits: npt.ArrayLike,
    axis: int = -1,
    *,
    temperature: Temperature = 1.0,
    hard: bool = False,
    seed: Seed = None,
    rows: int | npt.ArrayLike = 0,
) -> npt.NDArray[Any]:
    """A draw from the softmax of logits as probabilities: ``softmax((logits + noise) / temperature)``.

    The lower the temperature, the nearer to one at the class drawn and zero elsewhere.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores of n classes. Any rank from 1 on, any strides.
    axis : int
        The axis of the classes; NumPy's meaning and errors.
    temperature : float or array
        Above 0 and finite. One for each row: an array of length 1 along `axis`.
    hard : bool
        Return one at the class drawn, and zero elsewhere.
    seed : int or array of int, optional
        As of `sample`.
    rows : int or array of int
        As of `sample`.

    Returns
    -------
    array of the shape and dtype of `logits`

    Raises
    ------
    TypeError
        Another dtype, or a seed that is no integer.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        A temperature that is not above 0, or a `seed` or `rows` of another shape than the batch.

    Notes
    -----
    The noise is `gumbel_noise`, added in float64: the class drawn is the one that `sample` draws with the same seed at
    temperature 1. Special values as of softmax, with `hard` as of hardmax. Computed in float64 and rounded once.
    Source: Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017, arXiv:1611.01144.
    """
    name = "gumbel_softmax"
    x = as_floats(name, logits)
    axis = check_axis(name, x, axis)
    degrees = temperatures(name, temperature, x.shape, (axis,))
    if not isinstance(degrees, float):
        degrees = np.moveaxis(degrees, axis, -1)
    lines = np.moveaxis(x, axis, -1)
    noisy = gumbel_noise(lines.shape, seed=seed, rows=rows)
    with own_arithmetic():
        noisy += lines
    drawn = hardmax(noisy, out=noisy) if hard else softmax(noisy, temperature=degrees, out=noisy)
    with own_arithmetic():
        return np.ascontiguousarray(np.moveaxis(drawn, -1, axis).astype(x.dtype))
