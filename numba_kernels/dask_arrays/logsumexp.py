"""logsumexp: of the sums of each block, merged; with weights of the log-sum and the sign of each block."""

from functools import partial

import dask.array as da
import numpy as np
import numpy.typing as npt

from .. import logsumexp as of_arrays
from ..arrays.addresses import Array
from ..arrays.foreign import as_array
from ..arrays.inputs import as_floats
from ..compile.arithmetic import own_arithmetic
from ..vector import KINDS
from .arguments import Axes, as_dask, as_mask, axes_in, floats, like
from .row_sums import row_sums, sums_of
from .scores import rounded
from .tasks import Tree, all_axes, field, of_blocks, task

_SIGNED = np.dtype([("value", np.float64), ("sign", np.float64)])


def logsumexp(
    x: da.Array,
    axis: int | tuple[int, ...] | None = -1,
    *,
    b: npt.ArrayLike | da.Array | None = None,
    where: npt.ArrayLike | da.Array | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    split_every: int | None = None,
) -> da.Array | tuple[da.Array, da.Array]:
    """`softops.numba_kernels.logsumexp` of a dask array, lazily: ``log(sum(b * exp(x)))``.

    Parameters
    ----------
    x : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The numbers, in NumPy chunks of known sizes, along any axis.
    axis : int, tuple of int, or None
        The axes to sum along, None for all; NumPy's meaning and errors.
    b : array of real numbers, optional
        Weights, broadcast against `x`, of NumPy or Dask; may be negative.
    where : array of bool, optional
        What counts, broadcast against `x`, of NumPy or Dask.
    keepdims : bool
        Keep the axes, with length one.
    return_sign : bool
        Return the sign of the sum too, and the logarithm of its absolute value.
    split_every : int, optional
        How many blocks of a row are merged at a time; None: Dask's setting.

    Returns
    -------
    dask array of the dtype of `x`, without `axis` (or with length one there); with `return_sign` a tuple of that and
    the sign, of the same dtype

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, another dtype, a `where` not of bool, a `b` that is not
        real. In a task: a masked chunk.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Chunks of unknown sizes, an axis twice, a `b` or `where` that does not broadcast.

    Notes
    -----
    Special values are those of the NumPy function; the same chunks give the same bits. `x` is read once.

    Error: what a rounding to the dtype of `x` makes, 0.51 ULP, and 2⁻⁴⁸ of the larger of the maximum and the logarithm,
    which may cancel; of `b` 2⁻⁵⁰ · (1 + |the log-sums of the blocks|) of the largest of the blocks' sums; for up to
    1,024 blocks (``tests/numba_kernels/dask_arrays/test_chunks.py``). The NumPy function, which sees whole rows, does
    those that cancel again in twice the precision.
    """
    name = "logsumexp"
    x = floats(name, x)
    axes, tree = axes_in(x, axis), Tree(split_every)
    mask = None if where is None else as_mask(name, where, x)
    if b is None and not return_sign:
        sums = row_sums(name, x, axes, mask, 1.0, tree)
        return _squeezed(sums.map_blocks(_log_of_sums, stored=x.dtype, dtype=x.dtype), axes, keepdims)
    weights = None if b is None else _weights(name, b, x)
    blocks = of_blocks(
        _signed_of_block,
        x,
        (weights, all_axes(x)),
        (mask, all_axes(x)),
        dtype=_SIGNED,
        axes=axes,
        operator=name,
        along=axes,
    )
    signed = tree.merged(blocks, _merge_signed, axes)
    value, sign = (_squeezed(field(signed, part), axes, keepdims) for part in _SIGNED.names or ())
    if return_sign:
        return rounded(value, x.dtype), rounded(sign, x.dtype)
    return da.map_blocks(partial(_real, stored=x.dtype), value, sign, dtype=x.dtype)


def _squeezed(result: da.Array, axes: Axes, keepdims: bool) -> da.Array:
    return result if keepdims else da.squeeze(result, axis=axes)


def _weights(name: str, b: npt.ArrayLike | da.Array, x: da.Array) -> da.Array:
    given = b if isinstance(b, da.Array) else da.asarray(as_array(name, b, "b", "b.filled(0)"))
    if as_dask(name, given, "b").dtype.kind not in "fiub" and given.dtype not in KINDS:
        message = f"{name} takes real weights as b (got {given.dtype}); convert with b.astype(np.float64)"
        raise TypeError(message)
    return like(name, "b", given, x)


def log_of(sums: Array) -> Array:
    """The float64 log-sums of records."""
    maximum, others = sums_of(sums)
    with own_arithmetic():
        # a maximum of +inf or −inf is the result, and one of NaN
        return np.where(
            np.isfinite(maximum), maximum + np.log1p(np.where(np.isfinite(maximum), others, 0)), maximum
        )


@task
def _log_of_sums(sums: Array, stored: np.dtype[np.generic]) -> Array:
    with own_arithmetic():
        return log_of(sums).astype(stored)


@task
def _signed_of_block(block: Array, b: Array | None, mask: Array | None, operator: str, along: Axes) -> Array:
    x = as_floats(operator, block)
    weights = None if b is None else as_array(operator, b, "b", "b.filled(0)")
    records = np.empty([1 if d in along else n for d, n in enumerate(x.shape)], _SIGNED)
    with own_arithmetic():
        wide = x.astype(np.float64)
    records["value"], records["sign"] = of_arrays(
        wide, along, b=weights, where=mask, keepdims=True, return_sign=True
    )
    return records


def _merge_signed(records: Array) -> Array:
    merged = np.empty(records.shape[:-1], _SIGNED)
    value, sign = (np.ascontiguousarray(records[part]) for part in ("value", "sign"))
    with own_arithmetic():
        # the sign of a piece whose sum is NaN is NaN, which is no weight
        nothing = np.isnan(sign)
        weights = np.where(nothing, 1.0, sign)
    merged["value"], merged["sign"] = of_arrays(value, -1, b=weights, return_sign=True)
    return merged


@task
def _real(value: Array, sign: Array, stored: np.dtype[np.generic]) -> Array:
    with own_arithmetic():
        return np.where(sign < 0, np.nan, value).astype(stored)
