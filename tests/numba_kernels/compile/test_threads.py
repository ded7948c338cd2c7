"""From when on a call is spread over threads; where that is safe is asked of whole processes in `alive`."""

import numba
import numpy as np
import pytest

from softops import numba_kernels
from softops.numba_kernels.compile import threads
from softops.numba_kernels.compile.kernels import FLOAT64
from softops.numba_kernels.compile.threads import PARALLEL_FROM, parts_for


@pytest.fixture(autouse=True)
def two():
    before = numba.get_num_threads()
    if before < 2 or parts_for(PARALLEL_FROM, 2) < 2:
        pytest.skip("one thread is all there is, or all that is safe")
    numba.set_num_threads(2)
    yield
    numba.set_num_threads(before)


def test_where_there_is_enough_to_do():
    assert parts_for(PARALLEL_FROM - 1, 100) == 1
    assert parts_for(PARALLEL_FROM, 100) == 2
    assert parts_for(10 * PARALLEL_FROM, 1) == 1
    assert parts_for(10 * PARALLEL_FROM, 2) == 2


def test_not_while_another_kernel_runs():
    with threads._launch:
        assert parts_for(10 * PARALLEL_FROM, 100) == 1
    assert parts_for(10 * PARALLEL_FROM, 100) == 2


@pytest.mark.parametrize(
    ("operator", "dtype", "cost"),
    [
        ("softmax", "float32", 1),
        ("softmax", "float64", FLOAT64),
        ("softmax", "float16", 1),
        ("hardmax", "float32", 0.4),
        ("entmax15", "float32", 10),
        ("softplus", "float32", 3),
    ],
)
def test_what_is_enough_depends_on_what_an_operator_costs(operator, dtype, cost, monkeypatch):
    """As many numbers as are worth it are shared by two, at the first call and at later ones; fewer are not."""
    shared = []
    launch = threads.launch
    monkeypatch.setattr(threads, "launch", lambda *given: (shared.append(given[-1]), launch(*given))[1])
    enough = int(PARALLEL_FROM / cost) // 64 + 1
    for rows, parts in ((enough, [2] * 3), (enough - 2, [])):
        x = np.zeros((rows, 64), dtype)
        shared.clear()
        for _ in range(3):
            getattr(numba_kernels, operator)(x)
        assert shared == parts
