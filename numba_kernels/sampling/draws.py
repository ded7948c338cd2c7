"""A row's draws: the exponential race.

Class i with weight w = exp((x − max) / T) arrives at time E / w, with noise E of its own; the first to arrive is the
draw. That is the maximum of x / T + g with Gumbel's noise g = −log E.

    for every class that is left, in float32: a weight that is a little too large       0 for the others
    for each draw, 16 classes at a time:
        where one may come first with the least noise there is:
            the upper bits of their noise, and what E exceeds
            where one may still come first: the other bits, E, the weights in float64, and whether it does

What is skipped is what cannot come first, so that a draw is as if nothing were. The noise of a class depends on no
other: leaving out classes changes no race among the others.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..numerics.exp import exp_scaled, traits_of
from ..numerics.exp_below import exp_of_pair
from ..numerics.sums import reduce_max
from ..vector import (
    Variable,
    any_set,
    bits,
    first_lane,
    full,
    itemsize,
    load,
    loop,
    narrow,
    outlined,
    splat,
    store,
    when,
    where,
    widen,
)
from ..vector.memory import read
from .cuts import Cut
from .noise import CLASSES, LEAST, Stream, exponentials, least_exponentials

# More than what float32 rounds off of a weight and of a time.
_NEARLY = 1.0 + 2.0**-12
# What lies further below the maximum is taken for this far below it.
_LOWEST = -80.0


class Field(NamedTuple):
    """The classes of a row that are left: their logits, their maximum, a temperature, and room for float32 weights."""

    kind: Any
    x: Any
    m: Any
    temperature: Any
    weights: Any
    groups: Any
    """How many times 16 classes there are; behind the last one nothing is left."""

    def logits(self, i: Any) -> Any:
        """Those of 16 classes."""
        return read(self.kind, self.x + i * CLASSES * itemsize(self.kind), CLASSES)

    def below(self, x: Any) -> Any:
        """(x − max) / T in float64."""
        wide = widen(x)
        # of halves of numbers no difference overflows
        return (0.5 * wide - splat(wide, 0.5 * widen(self.m))) * splat(wide, 2.0 / self.temperature)


def _single(like: Any) -> Any:
    return like.constant(0.0, types.float32)


@outlined
def weigh_roughly(*given: Any) -> None:
    """Write the float32 weights of a field, whose parts are followed by those of a cut: 0 for what it leaves out."""
    field, cut = Field(*given[:6]), Cut(*given[6:])
    like = full(_single(field.groups), 0.0)
    with loop(0, field.groups) as i:
        x, weight = field.logits(i), Variable(like)
        with when(any_set(x >= splat(x, cut.value))):
            d = narrow(like, field.below(x))
            e = exp_scaled(where(d < _LOWEST, _LOWEST, d), _unscaled(like))
            weight.value = where(cut.keeps(x, i * CLASSES), e * _NEARLY, 0.0)
        store(like.constant(0.0, types.float32), field.weights, weight.value, i)


def _unscaled(like: Any) -> Any:
    """The shift of `exp_scaled` that scales by nothing."""
    traits = traits_of(like.scalar)
    return bits(like) + (traits.bias << traits.mantissa)


@outlined
def draw(*given: Any) -> Any:
    """The class that is drawn of a field whose weights are known, with the words of a stream, and when it arrives.

    −1 if there is none.
    """
    field, stream = Field(*given[:6]), Stream(*given[6:])
    single = _single(field.groups)
    best = Variable(
        stream.row.constant(np.inf, types.float64), stream.row.constant(-1), single.constant(np.inf)
    )
    with loop(0, field.groups) as i:
        weight = load(single, field.weights, i)
        # what cannot come first, whatever its noise, needs none
        with when(any_set(weight * splat(weight, best.value[2]) > 0.5 * LEAST)):
            upper = stream.upper(i)
            soon = least_exponentials(upper) < weight * splat(weight, best.value[2])
            with when(any_set(soon)):
                x = field.logits(i)
                arrivals = exponentials(stream.uniforms(i, upper)) / exp_of_pair(
                    field.below(x), widen(splat(x, 0.0))
                )
                arrivals = where(weight > 0.0, arrivals, np.inf)
                time, index = -reduce_max(-arrivals), i * CLASSES + 0
                sooner = time < best.value[0]
                place = index + first_lane(arrivals == splat(arrivals, time))
                rough = narrow(single, time * _NEARLY)
                before = best.value
                best.value = tuple(
                    where(sooner, new, old) for new, old in zip((time, place, rough), before, strict=True)
                )
    return best.value[1], best.value[0]
