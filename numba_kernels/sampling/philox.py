"""Philox4x64-10: random words that are a function of a counter and a key.

As in ``numpy.random.Philox``, bit for bit: ten rounds of two products of 64 by 64 bits over a counter of four words,
with a key of two. Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi:10.1145/2063384.2063405.
"""

from typing import Any

from ..vector import multiply_long

Words = tuple[Any, ...]

_ROUNDS = 10
_FACTORS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
# what the key grows by from round to round: the golden ratio, √3 − 1
_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B


def signed(word: int) -> int:
    """A word of 64 bits as the signed integer that kernels know it by."""
    return word - 2**64 if word >= 2**63 else word


def philox(counter: Words, key: Words) -> Words:
    """Four words, from a counter of four and a key of two, the lowest first; all are integers of 64 bits."""
    a, b, c, d = counter
    key_a, key_b = key
    for i in range(_ROUNDS):
        high_a, low_a = multiply_long(a, signed(_FACTORS[0]))
        high_c, low_c = multiply_long(c, signed(_FACTORS[1]))
        grown_a, grown_b = (signed(i * step % 2**64) for step in _STEPS)
        a, b, c, d = high_c ^ b ^ (key_a + grown_a), low_c, high_a ^ d ^ (key_b + grown_b), low_a
    return a, b, c, d
