"""sample: rows in one block are drawn there; of others each block gives the class that comes first in it, and when."""

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array
from ..arrays.inputs import check_count
from ..compile.arithmetic import own_arithmetic
from ..log_sums.pieces import Sums, shares_of_piece
from ..sampling.filters import Filters, filters_of
from ..sampling.keys import keys_of
from ..sampling.sample import arrivals, drawn
from .arguments import as_mask, floats, of_rows
from .cuts import filtered
from .hardmax import first_best
from .row_sums import masked
from .tasks import Tree, all_axes, of_blocks, starts, task
from .topk import normalized_axis


def sample(
    logits: da.Array,
    num_samples: int = 1,
    *,
    axis: int = -1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    order: str | Sequence[str] = "hugging-face",
    where: npt.ArrayLike | da.Array | None = None,
    seed: int | npt.ArrayLike | da.Array | None = None,
    rows: int | npt.ArrayLike | da.Array = 0,
    split_every: int | None = None,
    recompute: bool = False,
) -> da.Array:
    """`softops.numba_kernels.sample` of a dask array, lazily: classes drawn from the softmax of logits.

    Parameters
    ----------
    logits : dask array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores of n classes, in NumPy chunks of known sizes, along any axis.
    num_samples : int
        How many draws of each row, independent of one another.
    axis : int
        The axis of the classes.
    temperature, top_k, top_p, min_p, order
        As of the NumPy function. With `top_p` below 1 the classes must lie in one chunk.
    where : array of bool, optional
        Which classes may be drawn, broadcast against `logits`; of NumPy or Dask.
    seed : int or array of int, optional
        As of the NumPy function, of NumPy or Dask. None: another one in every call, the same whenever the result is
        computed.
    rows : int or array of int
        The numbers of the rows in the noise, as of the NumPy function.
    split_every : int, optional
        How many blocks of a row are merged at a time; None: Dask's setting.
    recompute : bool
        With `top_k` or `min_p`: make the chunks of `logits` a second time for the draw, rather than hold all of them.

    Returns
    -------
    dask array of int64, shape (..., num_samples): `logits` without `axis`, and the draws

    Raises
    ------
    TypeError
        No dask array, chunks of another kind than NumPy's, another dtype, an argument that is no number. In a task: a
        masked chunk.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        Chunks of unknown sizes, a number out of its range, an unknown order, a `where`, `seed` or `rows` of another
        shape, a `top_p` below 1 with classes in several chunks.

    Notes
    -----
    The noise of a class is a function of seed, row, draw and class alone, so that the draws are those of the NumPy
    function whatever the chunks: its very bits where a chunk has whole rows. Elsewhere each block gives the class that
    comes first in it, and when, 8 bytes a row and 16 a draw; another class than that of the NumPy function is drawn
    only where two classes arrive within 2⁻⁵⁰ of each other, which of 10¹⁵ draws befalls one or so. top_k takes a second
    pass, with the k best of each block merged as of `topk`, and min_p one with the maximum
    (``tests/numba_kernels/dask_arrays/test_sample.py``).
    """
    name = "sample"
    x = floats(name, logits, "logits")
    along = normalized_axis(name, x, axis)
    count = check_count(name, "num_samples", num_samples)
    filters = filters_of(name, temperature, top_k, top_p, min_p, order)
    mask = None if where is None else as_mask(name, where, x)
    lines = of_blocks(_masked, x, (mask, all_axes(x)), dtype=x.dtype, operator=name)
    lines = da.moveaxis(lines, along, -1)
    keys = _keys_like(name, seed, rows, lines)
    tree = Tree(split_every)
    batch = tuple(range(lines.ndim - 1))
    if lines.numblocks[-1] == 1:
        options = {"filters": filters, "count": count}
        return of_blocks(
            _drawn,
            lines,
            (keys, batch),
            dtype=np.dtype(np.int64),
            axes=(len(batch),),
            length=count,
            **options,
        )
    if filters.temperature == 0:
        best = first_best(name, lines, (len(batch),), None, tree)
        return of_blocks(
            _index_of_best, best, dtype=np.dtype(np.int64), axes=(len(batch),), length=count, count=count
        )
    left = filtered(name, lines, filters, tree, recompute)
    races = of_blocks(
        _races,
        left,
        (keys, batch),
        (starts(left, len(batch)), (len(batch),)),
        dtype=_race_type(count),
        axes=(len(batch),),
        filters=filters,
        count=count,
    )
    first = tree.merged(races, partial(_first, temperature=max(filters.temperature, 1e-300)), (len(batch),))
    return of_blocks(_class_of, first, dtype=np.dtype(np.int64), axes=(len(batch),), length=count)


@task
def _masked(block: Array, mask: Array | None, operator: str) -> Array:
    return masked(operator, block, mask)


@task
def _drawn(lines: Array, keys: Array, filters: Filters, count: int) -> Array:
    return drawn(lines, lines.ndim - 1, filters, _keys_in(keys), count)


@task
def _index_of_best(best: Array, count: int) -> Array:
    with own_arithmetic():
        indices = np.where(np.isfinite(best["value"].astype(np.float64)), best["index"], -1)
    return np.repeat(indices, count, -1)


def _race_type(count: int) -> np.dtype[Any]:
    return np.dtype(
        [("maximum", np.float64), ("times", np.float64, (count,)), ("classes", np.int64, (count,))]
    )


@task
def _races(lines: Array, keys: Array, begin: Array, filters: Filters, count: int) -> Array:
    race = arrivals(lines, int(begin[0]), filters, _keys_in(keys), count)
    records = np.empty((*lines.shape[:-1], 1), _race_type(count))
    records["maximum"][..., 0] = race.maximum
    records["times"][..., 0, :], records["classes"][..., 0, :] = race.times, race.classes
    return records


def _first(races: Array, temperature: float) -> Array:
    """Of races along the last axis who comes first, by times that are relative to the greatest maximum."""
    maxima = np.ascontiguousarray(races["maximum"])
    with own_arithmetic():
        top = maxima.max(-1)
        weights = shares_of_piece(maxima, Sums(top, np.zeros(top.shape)), temperature=temperature)
        times = np.where(np.isposinf(races["times"]), np.inf, races["times"] / weights[..., None])
        sooner = np.argmin(times, -2)[..., None, :]
        result = np.empty(races.shape[:-1], races.dtype)
        result["maximum"] = top
        result["times"] = np.take_along_axis(times, sooner, -2)[..., 0, :]
        classes = np.take_along_axis(races["classes"], sooner, -2)[..., 0, :]
        result["classes"] = np.where(np.isfinite(top)[..., None], classes, -1)
    return result


@task
def _class_of(first: Array) -> Array:
    return np.ascontiguousarray(first["classes"][..., 0, :])


# What the noise of rows is keyed by, in blocks of rows

_KEYS = np.dtype([("key", np.int64), ("above", np.int64), ("row", np.int64)])


def _keys_like(name: str, seed: Any, rows: Any, lines: da.Array) -> da.Array:
    """Records of a key for each row of `lines`, whose classes lie along the last axis."""
    axis = lines.ndim - 1
    of_batch = da.zeros(lines.shape[:axis], dtype=np.bool_, chunks=lines.chunks[:axis])
    if seed is None:
        seed = secrets.randbits(128)
    arrays = {
        what: of_rows(name, what, given, lines, axis) if _has_axes(given) else None
        for what, given in (("seed", seed), ("rows", rows))
    }
    # what is refused is refused at once
    whole = {
        what: 0 if arrays[what] is not None else given for what, given in (("seed", seed), ("rows", rows))
    }
    keys_of(name, whole["seed"], whole["rows"], ())
    batch = all_axes(of_batch)
    return of_blocks(
        _keys_of_block,
        of_batch,
        (arrays["seed"], batch),
        (arrays["rows"], batch),
        *((starts(of_batch, d), (d,)) for d in batch),
        dtype=_KEYS,
        operator=name,
        whole=(whole["seed"], whole["rows"]),
        lengths=of_batch.shape,
    )


def _has_axes(given: Any) -> bool:
    return bool(np.ndim(given) > 0)


@task
def _keys_of_block(
    of_batch: Array,
    seeds: Array | None,
    rows: Array | None,
    *begins: Array,
    operator: str,
    whole: tuple[int, int],
    lengths: tuple[int, ...],
) -> Array:
    numbers: Any = whole[1] if rows is None else rows
    if rows is None and seeds is None:
        places = [
            index + int(begin[0])
            for index, begin in zip(np.indices(of_batch.shape, np.int64), begins, strict=True)
        ]
        counted = np.ravel_multi_index(places, lengths) if places else np.zeros((), np.int64)
        numbers = counted.astype(np.uint64) + np.uint64(whole[1])
    keys = keys_of(operator, whole[0] if seeds is None else seeds, numbers, of_batch.shape)
    return np.ascontiguousarray(keys).view(_KEYS).reshape(of_batch.shape)


def _keys_in(records: Array) -> Array:
    """The keys of a block, as kernels take them."""
    keys: Array = np.ascontiguousarray(records).reshape(-1).view(np.int64).reshape(-1, 3)
    return keys
