"""A row's draws: the exponential race.

Class i with weight w = exp((x − max) / T) arrives at time E / w, with noise E of its own; the first to arrive is the
draw. That is the maximum of x / T + g with Gumbel's noise g = −log E, without its second logarithm:

    for each vector of weights that has any:
        u = the uniform numbers of these classes
        where 1 − u, which is at most E = −log u, is soon enough to come first:
            E / w, and whether it comes first

The noise of a class depends on no other, so that leaving out classes changes no race among the others.
"""

from typing import Any

import numpy as np
from numba import types

from ..vector import Variable, any_set, extract, lane_index, lanes, load, loop, outlined, splat, when, where
from .noise import LEAST, Stream

# More than the rounding of the logarithm.
_NEARLY = 1.0 - 2.0**-40


@outlined
def draw(weights: Any, classes: Any, key: Any, key_above: Any, row: Any, number: Any) -> Any:
    """The class that is drawn, of weights in float64, with 0 up to the end of the last vector; −1 if there is none."""
    real, stream = classes.constant(0.0, types.float64), Stream(key, key_above, row, number)
    width = lanes(real)
    first = load(real, weights)
    best = Variable(splat(first, np.inf), splat(lane_index(first), -1))
    with loop(0, (classes + (width - 1)) // width) as i:
        weight, (time, _) = load(real, weights, i), best.value
        # what cannot come first, whatever its noise, needs none
        with when(any_set(weight * time > 0.5 * LEAST)):
            u = stream.uniforms(i)
            with when(any_set((1.0 - u) * _NEARLY < weight * time)):
                arrival, (time, index) = stream.exponentials_of(u) / weight, best.value
                sooner = arrival < time
                found = splat(index, i * width) + lane_index(first)
                best.value = where(sooner, arrival, time), where(sooner, found, index)
    return _first(*best.value)


def _first(times: Any, indices: Any) -> Any:
    """The index of the earliest lane; of equals the least index."""
    time, index = extract(times, 0), extract(indices, 0)
    for lane in range(1, times.lanes):
        other, own = extract(times, lane), extract(indices, lane)
        sooner = (other < time) | ((other == time) & (own < index) & (own >= 0))
        time, index = where(sooner, other, time), where(sooner, own, index)
    return index
