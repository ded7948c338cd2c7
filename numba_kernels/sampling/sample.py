"""sample: classes drawn at random from the softmax of logits, after the filters of language models.

for each row:
    copy it to a scratch, and find its maximum
    for each filter: where the row is cut off, if it is taken in the order of its numbers (see `cuts`)
    weights exp((x - max) / T) of what is left
    for each draw: the exponential race (see `draws`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.inputs import as_floats, as_mask, check_axis, check_count
from ..arrays.layout import launch
from ..arrays.temperatures import Temperature, by_row, is_number, temperatures
from ..compile.jit import helper, keep_alive
from ..compile.kernels import over_rows
from ..rowwise.kernels import new_scratch
from ..vector import (
    Variable,
    compute_kind,
    itemsize,
    lanes,
    load_scalar,
    loop,
    store_scalar,
    traced,
    when,
    where,
    widen,
)
from .cuts import Cut, bring, cut_at_count, cut_at_mass, cut_at_value, weigh
from .draws import Field, draw, weigh_roughly
from .filters import MIN_P, TOP_K, TOP_P, Filters, Library, Step, filters_of
from .keys import Seed, keys_of
from .noise import CLASSES
from .topk import topk


class _Race(NamedTuple):
    """Of the draws of a row: where they are written, where the times of arrival and where the row's maximum, or 0."""

    classes: Any
    times: Any
    maximum: Any

    def note(self, i: Any, place: Any, time: Any) -> None:
        """Write the class of draw i, and when it arrives."""
        store_scalar(i, self.classes + 8 * i, place)
        with when(self.times != 0):
            store_scalar(time, self.times + 8 * i, time)


def _row(
    kind: Any,
    race: _Race,
    src: Any,
    n: Any,
    plan: Any,
    steps: Any,
    keys: Any,
    count: Any,
    first: Any,
    x: Any,
    weights: Any,
) -> None:
    """The draws of a row; `plan` is that of `Filters`, of so many steps; `keys` are its own; `first`: see `Stream`."""
    work, real, groups = compute_kind(kind), n.constant(0.0, types.float64), (n + (CLASSES - 1)) // CLASSES
    vectors = groups * (CLASSES // lanes(kind))
    m = bring(kind, x, vectors, src, n)
    with when(race.maximum != 0):
        store_scalar(real, race.maximum, widen(m))

    def plan_at(i: Any) -> Any:
        return load_scalar(real, plan + i * 8)

    none = n.constant(-1)
    with when(abs(m) < np.inf) as otherwise:
        cut = Variable(m.constant(-np.inf), none)
        with loop(0, steps) as step:
            code, amount, temperature = (plan_at(step * 3 + i) for i in range(1, 4))
            found = Variable(*cut.value)
            with when(code == float(TOP_K)):
                found.value = cut_at_count(work, x, vectors, m, amount)
            with when(code == float(TOP_P)):
                total = weigh(work, x, weights, vectors, m, temperature, *cut.value)
                found.value = cut_at_mass(work, x, weights, vectors, m, amount * total)
            with when(code == float(MIN_P)):
                found.value = cut_at_value(work, x, vectors, widen(m) + amount)
            cut.value = Cut(*cut.value).or_tighter(*found.value)
        field = Field(work, x, m, plan_at(n.constant(0)), weights, groups)
        weigh_roughly(*field, *cut.value)
        key, key_above, row = (load_scalar(n, keys + 8 * i) for i in range(3))
        with loop(0, count) as i:
            race.note(i, *draw(*field, key, key_above, row, i + 0, first))
    with otherwise, loop(0, count) as i:
        race.note(i, none, real.constant(np.inf))


@traced
def _rows(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any, scratch: Any) -> None:
    scores, plan, plan_step, steps, keys, count, before = src
    classes, times, maxima = dst
    room = _room(n)
    with loop(first, last) as i:
        at = scores + i * n * itemsize(kind)
        race = _Race(
            classes + i * count * 8,
            where(times == 0, times, times + i * count * 8),
            where(maxima == 0, maxima, maxima + i * 8),
        )
        room_of_row = scratch, scratch + room * 8
        own = plan + i * plan_step
        _row(kind, race, at, n, own, steps, keys + i * 24, count, before, *room_of_row)


@traced
def _room(n: Any) -> Any:
    """For so many numbers a row needs room, whole vectors of any kind."""
    return (n + (CLASSES - 1)) // CLASSES * CLASSES


@helper
def _lines(kind: Any, dst: Any, src: Any, first: Any, last: Any, n: Any) -> Any:
    owner, scratch = new_scratch(2 * _room(n), np.float64(0))
    _rows(kind, dst, src, first, last, n, scratch)
    keep_alive(owner)


_KERNELS = over_rows(_lines, cost=20.0)


def sample(
    logits: npt.ArrayLike,
    num_samples: int = 1,
    *,
    axis: int = -1,
    temperature: Temperature = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    order: Library | Sequence[Step] = "hugging-face",
    where: npt.ArrayLike | None = None,
    seed: Seed = None,
    rows: int | npt.ArrayLike = 0,
) -> npt.NDArray[np.int64]:
    """Classes drawn at random, with replacement, from the softmax of logits, of a few likely ones where asked for.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64, shape (..., n, ...)
        The scores of n classes.
    num_samples : int
        How many draws of each row, independent of one another.
    axis : int
        The axis of the classes; NumPy's meaning and errors.
    temperature : float or array
        What logits are divided by, from 0 on; 0 gives the best class in every draw, of equals the first. One for each
        row: an array of length 1 along `axis`.
    top_k : int, optional
        Keep the k best classes, of equals those with the lower index; from 1 on, more than there are keep all.
    top_p : float, optional
        Keep the fewest of the best classes that have this share of the probability of what is left, the class with
        which it is reached among them; from 0, the best class alone, to 1, all.
    min_p : float, optional
        Keep the classes at least this share as likely as the best: from 0, all, to 1, the best and its equals.
    order : str or sequence of str
        In which order filters and temperature are applied, as by ``"hugging-face"``, ``"vllm"``, ``"llama.cpp"``,
        ``"mlx"``, ``"onnxruntime-genai"`` (which these are: docs/kernels.md); or the names of the options in a tuple.
    where : array of bool, optional
        Which classes may be drawn, broadcast against `logits`.
    seed : int or array of int, optional
        From 0 to 2¹²⁸ − 1; or one a row, below 2⁶⁴, in the shape of the batch. None: another one in every call.
    rows : int or array of int
        The numbers of the rows in the noise: that of the first, from which on they are counted in C order; with a seed
        for each row that of every row; or an array of one a row.

    Returns
    -------
    array of int64, shape (..., num_samples): `logits` without `axis`, and the draws
        −1 for a row with nothing to draw from: nothing but −inf or masked, or with a NaN or +inf.

    Raises
    ------
    TypeError
        Another dtype, or an argument that is no number.
    numpy.exceptions.AxisError
        No such axis.
    ValueError
        A number out of its range, an order without a filter that is asked for, shapes that do not fit.

    Notes
    -----
    The draw is the class with the least ``E / exp((x - max(x)) / T)``, E = −log u, which is the one with the greatest
    x / T + g with Gumbel's noise g = −log E. The noise u of a class is a function of seed, row, draw and class alone
    (Philox4x64-10; by NumPy's words in docs/kernels.md): draws are the same for any number of threads, any split of the
    batch and any neighbours, on every processor with a fused multiply-add.

    Weights and their sums are float64 whatever the dtype: a class at the edge of top_p is the wrong one only where the
    sum of probabilities is within 10⁻¹¹ of `top_p`. Nothing is sorted. More in docs/kernels.md.
    """
    name = "sample"
    x = as_floats(name, logits)
    axis = check_axis(name, x, axis)
    count = check_count(name, "num_samples", num_samples)
    by_rows = None
    if not is_number(temperature):
        degrees = temperatures(name, temperature, x.shape, (axis,), zero=True)
        by_rows = None if isinstance(degrees, float) else by_row(degrees, x.shape, axis)
        temperature = degrees if by_rows is None else float(np.append(by_rows[by_rows != 1], 1.0)[0])
    filters = filters_of(name, temperature, top_k, top_p, min_p, order)
    if where is not None:
        x = np.where(as_mask(name, where, x.shape), x, x.dtype.type(-np.inf))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    keys = keys_of(name, seed, rows, shape)
    return drawn(x, axis, filters, keys, count, by_rows)


def drawn(
    x: Array, axis: int, filters: Filters, keys: Array, count: int, by_rows: Array | None = None
) -> Array:
    """The draws along an axis, from what `keys_of` gives for the rows; `by_rows`: their temperatures, one a row."""
    if x.size == 0 or count == 0:
        return np.full((*x.shape[:axis], *x.shape[axis + 1 :], count), -1, np.int64)
    if by_rows is None and filters.temperature == 0:
        return np.repeat(_best(x, axis)[..., None], count, -1)
    scores = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    result = np.empty((*scores.shape[:-1], count), np.int64)
    _run(scores, filters.plan(scores.shape[-1], by_rows), keys, count, 0, (address(result), 0, 0))
    if by_rows is None or by_rows.all():
        return result
    coldest = by_rows.reshape(scores.shape[:-1])[..., None] == 0
    return np.where(coldest, _best(x, axis)[..., None], result)


class Arrivals(NamedTuple):
    """Of draws from a part of the classes: what came first, when, and the maximum that times are relative to."""

    classes: Array
    times: Array
    maximum: Array


def arrivals(x: Array, first: int, filters: Filters, keys: Array, count: int) -> Arrivals:
    """The races among the classes from `first` on, whose scores lie along the last axis; no filter is applied.

    A class arrives at ``E / exp((x - maximum) / T)``; see `sample`. Without one, of −1 at +inf.
    """
    shape, lead = x.shape[:-1], first % CLASSES
    result = Arrivals(
        np.full((*shape, count), -1, np.int64), np.full((*shape, count), np.inf), np.full(shape, -np.inf)
    )
    if x.size == 0 or count == 0:
        return result
    scores = np.ascontiguousarray(x)
    if lead:
        # the noise is that of 16 classes together
        scores = np.concatenate([np.full((*shape, lead), -np.inf, x.dtype), scores], -1)
    plan = filters._replace(order=()).plan(scores.shape[-1])
    _run(scores, plan, keys, count, first // CLASSES, tuple(map(address, result)))
    classes = np.where(result.classes < 0, -1, result.classes + (first - lead))
    return result._replace(classes=classes)


def _run(scores: Array, plan: Array, keys: Array, count: int, before: int, dst: tuple[int, ...]) -> None:
    """Draw by a plan of `Filters`, or one for each row."""
    n, length = scores.shape[-1], plan.shape[-1]
    step = plan.itemsize * length if plan.ndim > 1 else 0
    given = address(scores), address(plan), step, length // 3, address(keys), count, before
    launch(_KERNELS, scores, scores.size // n, dst, given, n)


def _best(x: Array, axis: int) -> Array:
    values, indices = (np.squeeze(each, axis) for each in topk(x, 1, axis))
    return np.where(np.isfinite(values.astype(np.float64)), indices, -1)
