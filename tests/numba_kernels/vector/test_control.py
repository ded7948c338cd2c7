"""Loops and branches as `with` blocks do what Python's do; what cannot be written is refused with the cure."""

import numpy as np
import pytest

from softops.numba_kernels.vector import (
    Variable,
    load,
    load_scalar,
    loop,
    splat,
    store,
    store_scalar,
    when,
)

WORDS = np.float64


def numbers(run, work, values, count):
    """``work(kind, dst, src, n)`` on float64 numbers, as single ones."""
    out = np.full(32, -1.0)
    run(
        lambda kind, dst, sources, n: work(kind, dst, sources[0], n),
        WORDS,
        out,
        np.array(values, WORDS),
        count=count,
    )
    return out


def put(kind, dst, i, value):
    store_scalar(kind, dst + i * 8, splat(kind, value))


@pytest.mark.parametrize("span", [(0, 1), (2, 1), (0, 3), (1, 4), (5, 1)])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 12])
def test_a_loop_is_a_range(run, span, count):
    first, step = span

    def work(kind, dst, src, n):
        rounds = Variable(n.constant(0))
        with loop(first, n, step) as i:
            put(kind, dst, rounds.value, i)
            rounds.value += 1
        put(kind, dst, 30, rounds.value)
        put(kind, dst, 31, i)  # where it ended

    out, wanted = numbers(run, work, [0], count), list(range(first, count, step))
    assert out[30] == len(wanted)
    assert list(out[: len(wanted)]) == wanted
    assert out[31] == (wanted[-1] + step if wanted else first)


def test_loops_in_loops_and_variables_of_several_values(run):
    """Fibonacci numbers, one after each inner loop."""

    def work(kind, dst, src, n):
        pair = Variable(n.constant(0), n.constant(1))
        with loop(0, n) as i:
            with loop(0, i):
                a, b = pair.value
                pair.value = b, a + b
            put(kind, dst, i, pair.value[0])

    fibonacci = [0, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert list(numbers(run, work, [0], 7)[:7]) == [fibonacci[k] for k in (0, 1, 3, 6, 10, 15, 21)]


@pytest.mark.parametrize("values", [[1, 2, -3, 4], [1, 2, 3, 4], [-1, 2, 3, 4]])
def test_leaving_a_loop_is_a_break(run, values):
    """From a branch within the round, too."""

    def work(kind, dst, src, n):
        total = Variable(splat(kind, 0.0))
        with loop(0, n) as i:
            x = load_scalar(kind, src + i * 8)
            with when(x > 2.0):
                put(kind, dst, 20, x)
            i.leave_if(x < 0.0)
            total.value += x
            with when(x > 3.0):
                i.leave_if(x > 3.5)
                total.value += 100.0
        put(kind, dst, 0, i)
        put(kind, dst, 1, total.value)

    total, index = 0, 0
    for x in values:
        if x < 0:
            break
        total += x
        if x > 3.5:
            break
        index += 1
    assert list(numbers(run, work, values, 4)[:2]) == [index, total]


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0])
def test_branches(run, x):
    def work(kind, dst, src, n):
        x = load_scalar(kind, src)
        sign = Variable(splat(kind, 7.0))
        with when(x > 0.0) as otherwise:
            sign.value = 1.0
        with otherwise:
            with when(x < 0.0) as otherwise:
                sign.value = -1.0
            with otherwise:
                sign.value = 0.0
        put(kind, dst, 0, sign.value)
        with when(x == 0.0):
            put(kind, dst, 1, x)

    out = numbers(run, work, [x], 1)
    assert out[0] == np.sign(x)
    assert out[1] == (0 if x == 0 else -1)


def test_a_variable_of_a_vector(run):
    x = np.arange(64, dtype=np.float32)

    def work(kind, dst, sources, n):
        total = Variable()
        total.value = load(kind, sources[0])
        with loop(1, n) as i:
            total.value += load(kind, sources[0], i)
        store(kind, dst, total.value)

    out = run(work, np.float32, np.zeros(16, np.float32), x, count=4)
    np.testing.assert_array_equal(out, x.reshape(4, 16).sum(0))


def refused(run, work, error, match):
    with pytest.raises(error, match=match):
        numbers(run, work, [0], 1)


def test_a_value_of_a_block_is_not_to_be_used_behind_it(run):
    def work(kind, dst, src, n):
        with loop(0, n) as i:
            x = load_scalar(kind, src + i * 8)
        put(kind, dst, 0, x)

    refused(run, work, NameError, "use a `Variable`")


def test_otherwise_stands_right_behind_its_when(run):
    def work(kind, dst, src, n):
        with when(n > 0) as otherwise:
            put(kind, dst, 0, n)
        put(kind, dst, 1, n)
        with otherwise:
            put(kind, dst, 0, n)

    refused(run, work, SyntaxError, "right behind its `with when`")


def test_a_variable_keeps_its_type(run):
    def work(kind, dst, src, n):
        total = Variable(n)
        total.value = splat(kind, 0.0)

    refused(run, work, TypeError, "a variable keeps its type")


def test_an_error_in_a_block_is_that_error(run):
    def work(kind, dst, src, n):
        with loop(0, n), when(n > 0):
            message = "of the block's own"
            raise ZeroDivisionError(message)

    refused(run, work, ZeroDivisionError, "of the block's own")
