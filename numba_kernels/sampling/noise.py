"""Noise that is a function of (seed, row, draw, class), and of nothing else.

Of a row and a draw each class has 52 bits r: the upper 32 from one half of a word of NumPy's generator, the lower 20
from one of a second stream, which is asked for where they may decide:

    upper = numpy.random.Philox(key=seed, counter=[0, draw, row, 0]).random_raw(...).view(uint32)
    lower = numpy.random.Philox(key=seed, counter=[0, draw, row, 1]).random_raw(...).view(uint32)
    r = upper · 2²⁰ + ⌊lower / 2¹²⌋

so that a draw is the same in whatever batch a row stands, at whatever place of it, on however many threads, and with
whatever neighbours; and a part of the classes can be drawn from by itself. They make the uniform number
u = (2 r + 1) / 2⁵³, which is neither 0 nor 1 and exact, as 1 − u is; from it come

    E = −log u          exponentially distributed, from 2⁻⁵³ to 36.7
    g = −log E          Gumbel's distribution, from −3.6 to 36.7
"""

from typing import Any, NamedTuple

from ..numerics.log import log_vector
from ..vector import extended, from_bits, halves_of, join
from .philox import philox

LEAST = 2.0**-53
"""No E is less."""
CLASSES = 16
"""So many classes are done together: those of two blocks of a stream."""

_ONE_BITS = 0x3FF0000000000000
_ONE_BITS32, _MANTISSA32 = 0x3F800000, 23


class Stream(NamedTuple):
    """The noise of a row and a draw, by the words of its seed and its numbers."""

    key: Any
    key_above: Any
    row: Any
    draw: Any
    first: Any = 0
    """So many times 16 classes lie before those that are counted from 0 on."""

    def _halves(self, i: Any, stream: int) -> Any:
        """32 bits for each of the classes from 16 · i on."""
        parts, last = [], self.row.constant(stream)
        group = i + self.first
        for block in (2 * group + 1, 2 * group + 2):
            a, b, c, d = philox((block, self.draw, self.row, last), (self.key, self.key_above))
            parts.append(join(join(a, b), join(c, d)))
        return halves_of(join(*parts))

    def upper(self, i: Any) -> Any:
        """The upper 32 bits of 16 classes."""
        return self._halves(i, 0)

    def uniforms(self, i: Any, upper: Any) -> Any:
        """u of 16 classes, in float64, of which the upper bits are known."""
        r = (extended(upper) << 20) | (extended(self._halves(i, 1)) >> 12)
        return (from_bits(r | _ONE_BITS) - 1.0) + LEAST

    def gumbels(self, i: Any) -> Any:
        """g of 16 classes."""
        return 0.0 - log_vector(exponentials(self.uniforms(i, self.upper(i))))


def exponentials(uniforms: Any) -> Any:
    """E from u."""
    return 0.0 - log_vector(uniforms)


def least_exponentials(upper: Any) -> Any:
    """What E exceeds, in float32, from the upper bits of 16 classes: 1 − u, rounded down to 23 bits."""
    rest = (upper ^ -1) >> (32 - _MANTISSA32)
    return from_bits(rest | _ONE_BITS32) - 1.0
