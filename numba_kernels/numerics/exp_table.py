"""The float32 exponential of rows: a table of four and a short polynomial, in steps that a loop can overlap.

exp(x) = p(r) · 2^(n/4) with n = round(4x · log₂e) and r = x − n · ln 2 / 4, |r| ≤ ln 2 / 8: a polynomial of degree 4
does what takes one of degree 6 without the table. 2^(n/4) is 2^(n >> 2) times one of four numbers, which lie in a
register; the lowest two bits of n pick it. All four are multiplied by one number, chosen so that each of them is right
to 2⁻³¹·⁹: what is common to all exponentials of a row does not matter. So is the row's own power of two, which follows
from its maximum: nothing is subtracted from a score.

    e = s + p · s, with s = 2^(n/4) times what is common, and p = exp(r) − 1

Right for |x| ≤ 2⁹, where n · (high part of ln 2 / 4) is exact; relative error of s + p · s: 2⁻²⁷·⁴, of p's rounding
2⁻²⁷ (`tools/fits/exp.py`).
"""

from typing import Any

from ..vector import bits, extract, fma, from_bits, lane_index, lookup4, splat, where, widen
from .exp import q64
from .sums import HEADROOM, fma_near

_MAGIC = 12582912.0  # 1.5 · 2²³: added to a number, it leaves the rounded number in the lowest bits
_LOG2E_4 = float.fromhex("0x1.715476p+2")
# ln 2 / 4 with 12 bits in the high part
_LN2_4_HIGH, _LN2_4_LOW = float.fromhex("0x1.62ep-3"), float.fromhex("0x1.0bfbe8p-17")
_LN2_4_REST = float.fromhex("0x1.0bfbe8e7bcd5ep-17")
_Q = tuple(map(float.fromhex, ("0x1.00000cp-1", "0x1.55720ap-3", "0x1.54f054p-5")))
# what all entries are multiplied by
COMMON = float.fromhex("0x1.c856a0p+0")
_POWERS = tuple(COMMON * 2.0 ** (k / 4) for k in range(4))

# In the bits of `raised` the exponent n >> 2 begins here once they are moved up by _UP.
_MANTISSA, _UP = 23, 21


def table_shift(m: Any) -> Any:
    """What `table_for` needs of rows with maxima m, |m| ≤ 2⁹: their exponentials then lie below 2^(HEADROOM + 2)."""
    return (HEADROOM - table_exponent(m)) << _MANTISSA


def table_exponent(m: Any) -> Any:
    """By how many powers of two `table_shift` lowers the exponentials of rows with maxima m."""
    n = bits(fma(m, _LOG2E_4, _MAGIC)) - bits(splat(m, _MAGIC))
    # shifted as a number that is not negative: |n| < 2^12
    return ((n + 4096) >> 2) - 1024


def table_for(like: Any, shift: Any) -> Any:
    """The table for vectors like `like` of one row, as integers: four numbers over and over."""
    index = lane_index(like) & 3
    entries = [bits(splat(like, power)) - (k << _UP) for k, power in enumerate(_POWERS)]
    low, high = where(index == 1, entries[1], entries[0]), where(index == 3, entries[3], entries[2])
    return where(index < 2, low, high) + splat(index, shift)


def reduced(x: Any) -> tuple[Any, Any]:
    """(bits that hold n lowest, r) with x = n · ln 2 / 4 + r."""
    t = fma(x, _LOG2E_4, _MAGIC)
    n = t - _MAGIC
    return bits(t), fma(n, -_LN2_4_LOW, fma(n, -_LN2_4_HIGH, x))


def split_exponential(raised: Any, r: Any, table: Any, shift: Any = 0) -> tuple[Any, Any]:
    """(p, s) of a number by what `reduced` gave for it; NaN in p where r is NaN."""
    q0, q1, q2 = _Q
    p = fma(fma(fma(q2, r, q1), r, q0), r * r, r)
    return p, from_bits((raised << _UP) + (lookup4(table, raised) + shift))


def exponentials_of_lanes(x: Any, table: Any, shift: Any) -> tuple[Any, Any, Any]:
    """(e, p, s) of vectors with a row in each lane and a shift for each; the table is that for a shift of 0."""
    raised, r = reduced(x)
    p, s = split_exponential(raised, r, table, shift)
    return joined(p, s), p, s


def exact_exponential(x: Any, shift: Any) -> tuple[Any, Any]:
    """(s + p · s as `ExactSum` adds it, the exponential itself) in float64, of rows in a vector's lanes, or one."""
    if x.lanes == 1:  # a table takes a vector
        one, other = exact_exponential(x.spread(8), shift.spread(8))
        return extract(one, 0), extract(other, 0)
    raised, r = reduced(x)
    p, s = split_exponential(raised, r, table_for(x, 0), shift)
    n = from_bits(raised) - _MAGIC
    exact = fma(widen(n), -_LN2_4_REST, widen(fma(n, -_LN2_4_HIGH, x)))
    whole = widen(s)
    return whole + whole * widen(p), whole + whole * fma(q64(exact), exact * exact, exact)


def joined(p: Any, s: Any) -> Any:
    """s + p · s, rounded once."""
    return fma_near(p, s, s)
