"""Noise that is a function of (seed, row, draw, class), and of nothing else.

The words of a row and a draw, one for each class, are those of

    numpy.random.Philox(key=seed, counter=[0, draw, row, 0]).random_raw(classes)

so that a draw is the same in whatever batch a row stands, at whatever place of it, on however many threads, and with
whatever neighbours; and a part of the classes can be drawn from by itself. The upper 52 bits r of a word make the
uniform number u = (2 r + 1) / 2⁵³, which is neither 0 nor 1 and exact, as 1 − u is; from it come

    E = −log u          exponentially distributed, from 2⁻⁵³ to 36.7
    g = −log E          Gumbel's distribution, from −3.6 to 36.7
"""

from typing import Any, NamedTuple

from ..numerics.log import log_vector
from ..vector import from_bits, join
from .philox import philox

LEAST = 2.0**-53
"""No E is less."""
_ONE_BITS = 0x3FF0000000000000


class Stream(NamedTuple):
    """The noise of a row and a draw, by the words of its seed and its numbers."""

    key: Any
    key_above: Any
    row: Any
    draw: Any

    def words(self, vector: Any) -> Any:
        """The words of eight classes from class 8 · vector on."""
        zero = self.row - self.row
        parts = []
        for block in (2 * vector + 1, 2 * vector + 2):
            a, b, c, d = philox((block, self.draw, self.row, zero), (self.key, self.key_above))
            parts.append(join(join(a, b), join(c, d)))
        return join(*parts)

    def uniforms(self, vector: Any) -> Any:
        """u of eight classes."""
        return (from_bits((self.words(vector) >> 12) | _ONE_BITS) - 1.0) + LEAST

    @staticmethod
    def exponentials_of(uniforms: Any) -> Any:
        """E from u."""
        return 0.0 - log_vector(uniforms)

    def gumbels(self, vector: Any) -> Any:
        """g of eight classes."""
        return 0.0 - log_vector(self.exponentials_of(self.uniforms(vector)))
