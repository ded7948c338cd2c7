"""Traced functions in jitted code and in each other; outlined ones, which are written once."""

import re

import numba
import numpy as np
import pytest

from softops.numba_kernels.vector import Variable, loop, outlined, traced, when


@traced
def both(a, b):
    return a + b, (a - b, 3, 0.5, True)


def test_what_a_traced_function_returns():
    """Values, numbers of Python's, and tuples of such."""

    @numba.njit
    def called(a, b):
        return both(a, b)

    assert called(5, 3) == (8, (2, 3, 0.5, True))
    assert called(0.5, 0.25) == (0.75, (0.25, 3, 0.5, True))


def test_tuples_come_in():
    @traced
    def first_of(pair):
        return pair[0] + pair[1][0]

    @numba.njit
    def called(a, b):
        return first_of((a, (b, 1.0)))

    assert called(2, 3) == 5


def test_a_jitted_function_between_keeps_the_callers_fastmath_out():
    """(a + b) − a stays as it is; a traced function by itself is part of its caller and of the caller's options."""

    @traced
    def lost(a, b):
        return (a + b) - a

    @numba.njit(fastmath=False)
    def between(a, b):
        return lost(a, b)

    @numba.njit(parallel=True, fastmath=True)
    def called(out):
        for i in numba.prange(out.size):
            out[i] = between(1e300, 1.0 + i)

    out = np.ones(8)
    called(out)
    np.testing.assert_array_equal(out, np.zeros(8))


def test_outlined_code_is_written_once_for_its_types():
    @outlined
    def power(x, n):
        result = Variable(x.constant(1.0))
        with loop(0, n):
            result.value *= x
        return result.value, n + 1

    @traced
    def twice(x, n):
        a, _ = power(x, n)
        b, following = power(a, n)
        return a, b, following

    @numba.njit
    def called(x, n):
        return twice(x, n)

    assert called(3.0, 2) == (9.0, 81.0, 3)
    code = called.inspect_llvm(called.signatures[0])
    assert len(re.findall(r"^define internal.*power", code, re.MULTILINE)) <= 1


def test_outlined_code_without_a_result():
    @outlined
    def nothing(n):
        with when(n > 0):
            pass

    @traced
    def calls(n) -> None:
        assert nothing(n) is None

    @numba.njit
    def called(n):
        calls(n)
        return n

    assert called(3) == 3


def test_errors_of_a_traced_function_reach_the_caller():
    @traced
    def refuses(x):
        message = "not this type"
        raise TypeError(message)

    @numba.njit
    def called(x):
        return refuses(x)

    with pytest.raises(Exception, match="not this type"):
        called(1.0)
