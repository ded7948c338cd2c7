"""One long row, worked on by several threads: every operator, whoever does which blocks, wherever the row lies."""

import numpy as np
import pytest

from softops import numba_kernels as nk
from softops.opset import reference

N = 128256
LABEL = np.array([70000])

OPERATORS = {
    "softmax": nk.softmax,
    "log_softmax": nk.log_softmax,
    "hardmax": nk.hardmax,
    "logsumexp": nk.logsumexp,
    "softmax_grad": lambda x, axis=-1, **out: nk.softmax_grad(x, abs(x), axis, **out),
    "log_softmax_grad": lambda x, axis=-1, **out: nk.log_softmax_grad(x, -abs(x), axis, **out),
    "cross_entropy": lambda x, axis=-1: nk.cross_entropy(x, LABEL, axis=axis),
    "cross_entropy_grad": lambda x, axis=-1, **out: nk.cross_entropy_grad(x, LABEL, axis=axis, **out),
}
GIVES_ARRAYS = [name for name in OPERATORS if name not in ("logsumexp", "cross_entropy")]
DTYPES = ["float32", "float64", "float16"]


def scores(dtype, n=N):
    return (np.random.default_rng(n).normal(size=(1, n)) * 3).astype(dtype)


def lying(x):
    """The same row in other places: every second number, a column, a column of a wider array, backwards."""
    wide = np.zeros((1, 2 * x.size), x.dtype)
    wide[:, ::2] = x
    columns = np.zeros((x.size, 3), x.dtype)
    columns[:, 1:2] = x.T
    return [
        (wide[:, ::2], -1),
        (np.ascontiguousarray(x.T), 0),
        (columns[:, 1:2], 0),
        (np.ascontiguousarray(x[:, ::-1])[:, ::-1], 1),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_one_answer_for_any_number_of_threads_and_among_other_rows(name, dtype, threads):
    x, run = scores(dtype), OPERATORS[name]
    shared = np.ravel(run(x)).tobytes()
    assert np.ravel(run(x)).tobytes() == shared  # the short way, once it is known
    threads(1)
    assert np.ravel(run(x)).tobytes() == shared


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_wherever_the_row_lies(name, dtype):
    x, run = scores(dtype), OPERATORS[name]
    expected = run(x)
    for moved, axis in lying(x):
        assert np.array_equal(np.ravel(run(moved, axis)), np.ravel(expected))


@pytest.mark.parametrize("name", GIVES_ARRAYS)
def test_the_result_goes_where_it_is_wanted(name):
    x, run = scores("float32"), OPERATORS[name]
    expected = run(x)
    for out in (np.empty_like(x), np.empty((2, N), np.float32)[1:], np.empty((1, 2 * N), np.float32)[:, ::2]):
        assert run(x, out=out) is out
        assert np.array_equal(out, expected)
    shifted = np.zeros((1, N + 8), np.float32)
    shifted[:, 8:] = x
    run(shifted[:, 8:], out=shifted[:, :-8])  # the result lies over its source, moved
    assert np.array_equal(shifted[:, :-8], expected)
    assert run(x, out=x) is x
    assert np.array_equal(x, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("at", [[0], [N - 1], [20000, 100000], [8191, 8192]])
@pytest.mark.parametrize("value", [50.0, np.nan, np.inf])
def test_hardmax_takes_the_first_maximum_or_nan(dtype, at, value):
    x = scores(dtype)
    x[0, at] = value
    expected = np.zeros_like(x)
    expected[0, np.argmax(x)] = 1
    assert np.array_equal(nk.hardmax(x), expected)


def test_hardmax_of_nothing_but_minus_infinity():
    result = nk.hardmax(np.full((1, N), -np.inf, np.float32))
    assert result[0, 0] == 1
    assert result.sum() == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_against_their_formulas(dtype):
    dy, y = scores(dtype), nk.softmax(scores(dtype, N + 1)[:, :N])
    eps = np.finfo(dtype).eps
    a, b = dy.astype(np.longdouble), y.astype(np.longdouble)
    total = (a * b).sum()
    error = abs(nk.softmax_grad(dy, y) - b * (a - total))
    assert (error <= 2 * eps * np.maximum(abs(b * a), abs(b * total))).all()
    y = nk.log_softmax(scores(dtype, N + 1)[:, :N])
    p, total = np.exp(y.astype(np.longdouble)), a.sum()
    error = abs(nk.log_softmax_grad(dy, y) - (a - p * total))
    assert (error <= 2 * eps * np.maximum(abs(a), abs(p * total))).all()


@pytest.mark.parametrize("label", [0, 8191, 8192, N - 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_and_its_gradient_at_labels_of_any_block(dtype, label):
    x, labels = scores(dtype), np.array([label])
    expected = -reference.log_softmax(x)[0, label]
    assert abs(nk.cross_entropy(x, labels) / expected - 1) <= np.finfo(dtype).eps
    for given, out in ((x, None), (x.copy(), "in place")):
        gradient = nk.cross_entropy_grad(given, labels, out=given if out else None)
        p = reference.softmax(x).astype(np.float64)
        p[0, label] -= 1
        assert (abs(gradient - p) <= 4 * np.finfo(dtype).eps * abs(p)).all()


def test_an_ignored_row_has_no_loss_and_no_gradient():
    x = scores("float32")
    assert nk.cross_entropy(x, LABEL, ignore_index=int(LABEL[0]), reduction="sum") == 0
    assert not nk.cross_entropy_grad(x, LABEL, ignore_index=int(LABEL[0])).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [5, N - 5])
def test_what_is_not_finite_in_any_block_shows(value, at):
    x = scores("float32")
    x[0, at] = value
    assert np.isnan(nk.cross_entropy(x, LABEL))
    assert np.isnan(nk.cross_entropy_grad(x, LABEL)).all()
    ones = np.ones_like(x)
    assert np.isnan(nk.softmax_grad(x, ones)).all() == np.isnan(value)
    # dy − exp(y) · sum(dy), where the sum is infinite
    gradient = nk.log_softmax_grad(x, -ones)
    assert (np.isnan(gradient) if np.isnan(value) else np.isneginf(np.delete(gradient, at))).all()
