"""The softcap of scores, c · tanh(x / c), and its slope: 1 − tanh²(x / c) = 4 e / (1 + e)², e = exp(−2 |x / c|)."""

from typing import Any

import numpy as np
from numba import types

from ..arrays.addresses import Array, address
from ..arrays.layout import launch
from ..compile.kernels import over_rows
from ..numerics.exp_below import exp_below
from ..numerics.tanh import tanh_of
from ..rowwise.slices import slices
from ..vector import itemsize, load_scalar, narrow, splat, traced, widen


def checked_softcap(name: str, softcap: Any) -> float:
    """A number from 0 up, 0 for none."""
    if not (np.isfinite(softcap) and softcap >= 0):
        message = f"{name} takes a softcap that is finite and not negative, 0 for none (got {softcap})"
        raise ValueError(message)
    return float(softcap)


@traced
def _cap(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
    (x, facts), begin = src, first * itemsize(kind)
    cap_at = load_scalar(first.constant(0.0, types.float64), facts)
    for part in slices(kind, last - first):
        scores = part.load(x + begin)
        c = splat(scores, cap_at)
        part.store(dst + begin, c * tanh_of(scores / c))


@traced
def _slope(kind: Any, dst: Any, src: Any, first: Any, last: Any, _: Any) -> None:
    """`dst` times the slope at the scores."""
    (x, facts), begin = src, first * itemsize(kind)
    cap_at = load_scalar(first.constant(0.0, types.float64), facts)
    for part in slices(kind, last - first):
        scores, slope = part.load(x + begin), part.load(dst + begin)
        size = abs(scores / splat(scores, cap_at))
        e = exp_below(-(size + size), splat(size, 0.0))
        part.store(dst + begin, narrow(slope, widen(slope) * (4.0 * e / ((1.0 + e) * (1.0 + e)))))


_CAP, _SLOPE = over_rows(_cap, 2.0), over_rows(_slope, 2.0)


def cap(scores: Array, softcap: float, into: Array) -> None:
    """The capped scores, where they lie or elsewhere."""
    _run(_CAP, scores, softcap, into)


def multiply_by_slope(gradient: Array, scores: Array, softcap: float) -> None:
    """The gradient with respect to capped scores as that with respect to the scores, in place."""
    _run(_SLOPE, scores, softcap, gradient)


def _run(kernels: Any, scores: Array, softcap: float, dst: Array) -> None:
    facts = np.array([softcap])
    launch(kernels, scores, scores.size, address(dst), (address(scores), address(facts)), 1)
    del facts  # the kernel read it until here
