"""softmax and log_softmax: the sums of each block, merged; then each block by itself, from the sums of its rows."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from .. import log_softmax as of_arrays_log
from .. import softmax as of_arrays
from ..arrays.addresses import Array
from ..arrays.axes import Axis, merged
from ..arrays.inputs import as_floats
from ..arrays.temperatures import checked_temperature
from ..log_sums.pieces import Sums, log_shares_of_piece, shares_of_piece
from .arguments import Axes, as_mask, axes_in, floats, is_whole
from .row_sums import row_sums, sums_of
from .tasks import Tree, again, all_axes, of_blocks, task


def softmax(
    x: da.Array,
    axis: int | tuple[int, ...] | None = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | da.Array | None = None,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.softmax` of a dask array, lazily: ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores, in NumPy chunks of known sizes, along any axis.
    axis : int, tuple of int, or None
        The axes along which the results sum to one, None for all; NumPy's meaning and errors.
    temperature : float
        Above 0 and finite; `x` is divided by it, without rounding the quotient to the dtype of `x`.
    where : array of bool, optional
        What counts, broadcast against `x`; of NumPy or Dask. What does not is 0 in the result.
    split_every : int, optional
        How many blocks of a row are merged at a time; None: Dask's setting, 4 unless configured.
    recompute : bool
        Make the chunks of `x` a second time for the second pass, rather than hold (or spill) all of them in between.

    Returns
    -------
    dask array of the shape, dtype and chunks of `x`

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, another dtype, or a `where` not of bool. In a task: a masked
        chunk.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Chunks of unknown sizes, a temperature out of range, a `where` that does not broadcast.

    Notes
    -----
    Where every chunk has whole rows: the bits of the NumPy function. Else each block gives its maximum and the sum of
    the other exponentials, 16 bytes a row; these are merged in a tree; each block is turned into its share. Special
    values are those of the NumPy function, and the same chunks with the same `split_every` give the same bits,
    whatever the scheduler and the number of workers.

    Error: at most 0.51 ULP in halves and float32, and in float64 3 ULP and what merging adds, at most (k + 4) / 2 ULP
    for each level of the tree that merges k, half of it for most rows; 3 levels of k = 4 for 64 blocks
    (``tests/numba_kernels/dask_arrays/test_chunks.py``).
    """
    return _along("softmax", of_arrays, _shares_of_block, x, axis, temperature, where, split_every, recompute)


def log_softmax(
    x: da.Array,
    axis: int | tuple[int, ...] | None = -1,
    *,
    temperature: float = 1.0,
    where: npt.ArrayLike | da.Array | None = None,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.log_softmax` of a dask array, lazily: ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores, in NumPy chunks of known sizes, along any axis.
    axis : int, tuple of int, or None
        The axes along which the exponentials of the results sum to one, None for all; NumPy's meaning and errors.
    temperature, where, split_every, recompute
        As of `softmax`; what `where` leaves out is −inf in the result.

    Returns
    -------
    dask array of the shape, dtype and chunks of `x`

    Raises
    ------
    TypeError, numpy.exceptions.AxisError, ValueError
        As `softmax`.

    Notes
    -----
    As of `softmax`. Error: at most 0.51 ULP in halves and float32, also right beside zero; in float64 2 ULP and what
    merging adds, as there (``tests/numba_kernels/dask_arrays/test_chunks.py``).
    """
    return _along(
        "log_softmax", of_arrays_log, _logs_of_block, x, axis, temperature, where, split_every, recompute
    )


def _along(
    name: str,
    whole: Callable[..., Array],
    share: Callable[..., Array],
    x: da.Array,
    axis: Axis,
    temperature: float,
    where: Any,
    split_every: int | None,
    recompute: bool,
) -> da.Array:
    x = floats(name, x)
    axes, degrees = axes_in(x, axis), checked_temperature(name, temperature)
    mask = None if where is None else as_mask(name, where, x)
    given = (mask, all_axes(x))
    if is_whole(x, axes):
        return of_blocks(_whole, x, given, dtype=x.dtype, operator=whole, along=axes, temperature=degrees)
    sums = row_sums(name, x, axes, mask, degrees, Tree(split_every))
    return of_blocks(
        share,
        again(x, sums, recompute),
        (sums, all_axes(x)),
        given,
        dtype=x.dtype,
        operator=name,
        along=axes,
        temperature=degrees,
    )


@task
def _whole(
    block: Array, mask: Array | None, operator: Callable[..., Array], along: Axes, temperature: float
) -> Array:
    return operator(block, along if block.ndim else None, temperature=temperature, where=mask)


@task
def _shares_of_block(
    block: Array, records: Array, mask: Array | None, operator: str, along: Axes, temperature: float
) -> Array:
    x, sums = _lines(operator, block, records, along)
    return _back(shares_of_piece(x, sums, -1, temperature), block, mask, along, 0.0)


@task
def _logs_of_block(
    block: Array, records: Array, mask: Array | None, operator: str, along: Axes, temperature: float
) -> Array:
    x, sums = _lines(operator, block, records, along)
    return _back(log_shares_of_piece(x, sums, -1, temperature), block, mask, along, -np.inf)


def _lines(operator: str, block: Array, records: Array, along: Axes) -> tuple[Array, Sums]:
    """The lines of a block along the last axis, and their sums."""
    lines = merged(as_floats(operator, block), along)
    return lines, Sums(*(each.reshape(lines.shape[:-1]) for each in sums_of(records)))


def _back(lines: Array, block: Array, mask: Array | None, along: Axes, left_out: float) -> Array:
    """Lines along the last axis as the block that they come from."""
    order = [*(d for d in range(block.ndim) if d not in along), *along]
    turned = lines.reshape([block.shape[d] for d in order])
    result = np.ascontiguousarray(turned.transpose([order.index(d) for d in range(block.ndim)]))
    if mask is not None:
        result[~mask] = left_out
    return result
