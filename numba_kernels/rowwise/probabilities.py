"""From scores to probabilities: what the exponentials of a row are scaled by, and what they are divided by."""

from typing import Any, NamedTuple

from numba import types

from ..numerics.exp_table import exponentials_of_lanes, table_for
from ..numerics.sums import fma_near, reciprocal
from ..vector import bits, compute_kind, extract, fma, fuses, load, narrow, splat, where, widen
from .exponentials import base_and_cut, row_shift
from .rows import map_long_row


class Scale(NamedTuple):
    """What the exponentials of a row need, or those of several rows."""

    shift: Any
    """See `row_shift`."""
    base: Any
    cut: Any
    """See `base_and_cut`."""
    top: Any
    """The row's maximum less the base."""
    lowest: Any
    """The row's minimum."""

    @property
    def is_fast(self) -> Any:
        """Whether the shift is enough: nothing to subtract, nothing too low to count."""
        return (self.base == 0.0) & (self.lowest >= self.cut)


def scale_of(highest: Any, lowest: Any) -> Scale:
    """Of rows with these extremes."""
    base, cut, top = base_and_cut(highest)
    return Scale(row_shift(top), base, cut, top, lowest)


def divisor_of(scale: Scale, high: Any, low: Any) -> tuple[Any, ...]:
    """What turns exponentials into probabilities, of rows with sums high + low, one in each lane.

    1 / Σ e in two parts; in float32 also the exponential of the maximum, and its probability, by which what is lost in
    rounding the exponential counts for nothing where it counts most: what has no rival is 1.
    """
    top = scale.top
    inverse = reciprocal(top, high, low)
    if top.scalar == types.float64:
        return (*inverse,)
    e, p, s = exponentials_of_lanes(top, table_for(top, 0), scale.shift)
    whole, ratio = widen(s), widen(p)
    return *inverse, e, narrow(top, (whole + whole * ratio) * (1.0 / (high + low)))


def divisor_of_row(like: Any, scale: Scale, high: Any, low: Any) -> tuple[Any, ...]:
    """`divisor_of` for one row; `like` is a vector."""
    rows = Scale(splat(bits(like), scale.shift), *(splat(like, number) for number in scale[1:]))
    return tuple(
        extract(each, 0) for each in divisor_of(rows, *(splat(widen(like), each) for each in (high, low)))
    )


def fields_of_divisor(like: Any) -> int:
    return 4 if like.scalar == types.float32 else 2


def probabilities(kind: Any, dst: Any, src: Any, n: Any, *divisor: Any) -> None:
    """Scaled exponentials, of the computing type, over what `divisor_of` gave; `dst` may be `src`."""
    work = compute_kind(kind)
    like = load(work, src)
    vectors = [splat(like, number) for number in divisor]
    map_long_row(kind, dst, work, src, n, lambda e: quotient(e, *vectors))


def quotient(e: Any, first: Any, second: Any, top: Any = None, p_top: Any = None) -> Any:
    """A scaled exponential times 1 / Σ e = first + second; that of the maximum is known."""
    if fuses():
        p = fma(e, first, e * second)
    else:
        # far enough up that no part of the product is subnormal; taken down again with one rounding, which is monotone
        raised = 2.0 ** (48 if e.scalar == types.float32 else 200)
        scaled = e * raised
        p = fma_near(scaled, first, scaled * second) * (1.0 / raised)
    return p if top is None else where(e == top, p_top, p)
