"""The oracle's one rounding, at every tie of the halves."""

import ml_dtypes
import numpy as np
import pytest

from softops.opset import reference
from softops.opset.oracle.rounding import rounded

HALVES = [np.float16, ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_tie_and_its_neighbours(dtype, sign):
    infinity = int(np.array(np.inf, dtype).view(np.uint16))
    values = np.arange(infinity, dtype=np.uint16).view(dtype).astype(np.longdouble)  # 0 and all positive
    # Beyond the largest value rounding goes on as if the next power of two were there.
    upper = np.append(values[1:], 2 * values[-1] - values[-2])
    ties = sign * (values + upper) / 2
    bits = np.arange(infinity, dtype=np.uint16)
    even = bits + bits % 2
    sign_bit = np.uint16(0x8000 if sign < 0 else 0)
    away, towards = np.nextafter(ties, sign * np.longdouble(np.inf)), np.nextafter(ties, np.longdouble(0))
    for x, expected in [(ties, even), (away, bits + np.uint16(1)), (towards, bits)]:
        np.testing.assert_array_equal(rounded(x, dtype).view(np.uint16), expected | sign_bit)


@pytest.mark.parametrize("dtype", [*HALVES, np.float32, np.float64])
def test_keeps_what_the_dtype_holds(dtype):
    x = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan], dtype)
    got = rounded(x.astype(np.longdouble), dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.astype(np.float64), x.astype(np.float64))
    np.testing.assert_array_equal(np.signbit(got[:6]), np.signbit(x[:6]))


@pytest.mark.skipif(reference.MANTISSA_BITS < 64, reason="needs bits that float64 does not have")
def test_float32_and_float64_are_rounded_from_all_bits():
    one = np.longdouble(1)
    above_tie = (
        one + np.longdouble(2) ** -24 + np.longdouble(2) ** -60
    )  # a tie, were it rounded to float64 first
    assert rounded(np.array([above_tie]), np.float32)[0] == np.float32(1) + np.float32(2**-23)
    assert rounded(np.array([one + np.longdouble(2) ** -54]), np.float64)[0] == 1


@pytest.mark.parametrize("dtype", HALVES)
def test_scalars_stay_arrays(dtype):
    for got in (
        reference.sigmoid(0.0, dtype=dtype),
        reference.logsumexp([0.0], dtype=dtype),
        reference.cross_entropy([[0.0, 0.0]], [1], dtype=dtype),
    ):
        assert isinstance(got, np.ndarray)
        assert got.shape == ()
        assert got.dtype == dtype
