"""Heads whose weights lie in shards of classes: scores block by block, and of them what is done to any logits."""

import dask.array as da
import numpy.typing as npt

from ..arrays.inputs import check_count
from ..arrays.temperatures import checked_temperature
from .logsumexp import logsumexp
from .scores import divided, rounded, scores_of
from .softmax import log_softmax, softmax
from .topk import topk


def linear_softmax(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    temperature: float = 1.0,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.linear_softmax` with weights in shards of classes, lazily.

    ``softmax((x @ weight.T + bias) / temperature)``

    Parameters
    ----------
    x : array of float16, bfloat16, float32 or float64, shape (..., features)
        The rows of features, of NumPy or Dask; in chunks of rows, with all features in each.
    weight : dask array, shape (classes, features)
        The weights, of float64 where `x` is, else of float16, bfloat16 or float32; in chunks of classes (shards), with
        all features in each.
    bias : array, shape (classes,), optional
        What is added to the scores, of NumPy or Dask; no wider than they are computed in.
    temperature : float
        Above 0 and finite; the scores are divided by it.
    split_every : int, optional
        How many shards are merged at a time; None: Dask's setting, 4 unless configured.
    recompute : bool
        Compute the scores a second time for the second pass, rather than hold all of them, which take as much as the
        result.

    Returns
    -------
    dask array of the dtype of `x`, shape (..., classes), in the chunks of `x` and `weight`

    Raises
    ------
    TypeError
        Weights that are no dask array, chunks of another kind than NumPy's, another dtype, float64 beside a narrower
        one. In a task: a masked chunk.
    ValueError
        Shapes that do not fit together, features in several chunks, chunks of unknown sizes, a temperature out of
        range.

    Notes
    -----
    A task computes the scores of a chunk of rows and a shard: their product of memory, rows · classes · 4 bytes, is
    what it needs, so cut rows accordingly. The scores have the bits of the NumPy function, whatever the chunks; of them
    the special values and the bound of `softmax`. Between shards move 16 bytes a row and shard, no score
    (``tests/numba_kernels/dask_arrays/test_linear.py``).
    """
    layer = scores_of("linear_softmax", x, weight, bias)
    result = softmax(layer.scores, temperature=temperature, split_every=split_every, recompute=recompute)
    return rounded(result, layer.dtype)


def linear_log_softmax(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    temperature: float = 1.0,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.linear_log_softmax` with weights in shards of classes, lazily.

    Parameters
    ----------
    x, weight, bias, temperature, split_every, recompute
        As of `linear_softmax`.

    Returns
    -------
    dask array of the dtype of `x`, shape (..., classes), in the chunks of `x` and `weight`

    Raises
    ------
    TypeError, ValueError
        As `linear_softmax`.

    Notes
    -----
    As of `linear_softmax`, with the bound of `log_softmax`.
    """
    layer = scores_of("linear_log_softmax", x, weight, bias)
    result = log_softmax(layer.scores, temperature=temperature, split_every=split_every, recompute=recompute)
    return rounded(result, layer.dtype)


def linear_logsumexp(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    temperature: float = 1.0,
    split_every: int | None = None,
) -> da.Array:
    """`softops.numba_kernels.linear_logsumexp` with weights in shards of classes, lazily.

    Parameters
    ----------
    x, weight, bias, temperature, split_every
        As of `linear_softmax`.

    Returns
    -------
    dask array of the dtype of `x`, shape (...)

    Raises
    ------
    TypeError, ValueError
        As `linear_softmax`.

    Notes
    -----
    The scores of `linear_softmax`, with a temperature rounded once more; of them the special values and the bound of
    `logsumexp`. Nothing of the size of the scores is held beyond a task.
    """
    name = "linear_logsumexp"
    layer = scores_of(name, x, weight, bias)
    found = logsumexp(divided(layer.scores, checked_temperature(name, temperature)), split_every=split_every)
    return rounded(found, layer.dtype)


def linear_topk(
    x: npt.ArrayLike | da.Array,
    weight: da.Array,
    k: int,
    bias: npt.ArrayLike | da.Array | None = None,
    *,
    temperature: float = 1.0,
    probabilities: bool = True,
    split_every: int | None = None,
) -> tuple[da.Array, da.Array]:
    """`softops.numba_kernels.linear_topk` with weights in shards of classes, lazily.

    Parameters
    ----------
    x, weight, bias, split_every
        As of `linear_softmax`.
    k : int
        How many, from 0 to the number of classes.
    temperature : float
        Above 0 and finite; the scores are divided by it before the softmax. With `probabilities` alone.
    probabilities : bool
        Return probabilities among all classes; else the scores.

    Returns
    -------
    values : dask array of the dtype of `x`, shape (..., k), the largest first
    indices : dask array of int64 of the same shape

    Raises
    ------
    TypeError, ValueError
        As `linear_softmax`, and for a k or a temperature out of range.

    Notes
    -----
    The scores of `linear_softmax`; of them order, ties, special values and the bound of `topk`. Between shards move k
    scores and indices a row and shard, and 16 bytes for probabilities. Compute both results at once:
    ``dask.compute(values, indices)``.
    """
    name = "linear_topk"
    layer = scores_of(name, x, weight, bias)
    degrees = checked_temperature(name, temperature)
    count = check_count(name, "k", k, layer.scores.shape[-1])
    if degrees != 1.0 and not probabilities:
        message = f"{name} takes a temperature with probabilities alone (got {temperature!r}); pass probabilities=True"
        raise ValueError(message)
    values, indices = topk(
        layer.scores, count, probabilities=probabilities, temperature=degrees, split_every=split_every
    )
    return rounded(values, layer.dtype), indices
