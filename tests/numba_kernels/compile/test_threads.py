"""From when on a call is spread over threads; where that is safe is asked of whole processes in `alive`."""

import threading

import numba
import numpy as np
import pytest

from softops import numba_kernels
from softops.numba_kernels.compile import threads
from softops.numba_kernels.compile.kernels import FLOAT64
from softops.numba_kernels.compile.threads import PARALLEL_FROM, parts_for, parts_now


@pytest.fixture(autouse=True)
def two(monkeypatch):
    before = numba.get_num_threads()
    numba_kernels.softmax(np.zeros((1000, 1000)))  # decides on the layer
    if before < 2 or threads._threads() < 2:
        pytest.skip("one thread is all there is, or all that is safe")
    monkeypatch.setattr(threads, "_alone_until", 0)
    numba.set_num_threads(2)
    yield
    numba.set_num_threads(before)


def test_where_there_is_enough_to_do():
    assert parts_for(PARALLEL_FROM - 1, 100) == 1
    assert parts_for(PARALLEL_FROM, 100) == 2
    assert parts_for(10 * PARALLEL_FROM, 1) == 1
    assert parts_for(10 * PARALLEL_FROM, 2) == 2


def test_one_thread_takes_no_layer(monkeypatch):
    launched = []
    monkeypatch.setattr(threads, "launch", lambda *given: launched.append(given))
    numba.set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(100, 1000)).astype(np.float32)
    for axis in (0, 1, 1):
        assert np.allclose(numba_kernels.softmax(x, axis).sum(axis), 1)
    assert launched == []


def test_not_while_another_kernel_runs():
    with threads._launch:
        assert parts_for(10 * PARALLEL_FROM, 100) == 1
    assert parts_for(10 * PARALLEL_FROM, 100) == 2


def test_alone_for_a_while_after_waiting_for_a_thread_without_a_processor(monkeypatch):
    clock = [10**12]
    monkeypatch.setattr(threads, "perf_counter_ns", lambda: clock[0])
    late = 8_000_000
    assert threads.launch(lambda: 0) == 0
    assert parts_now(PARALLEL_FROM, 100) == 2
    assert threads.launch(lambda: late) == late
    for since, parts in ((0, 1), (10 * late, 1), (100 * late, 2)):
        clock[0] = 10**12 + since
        assert parts_now(PARALLEL_FROM, 100) == parts
        assert parts_for(PARALLEL_FROM, 100) == 2


@pytest.mark.parametrize("shape", [(64, 1000), (1, 200_000)])
def test_results_are_the_same_alone(shape, monkeypatch):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    shared = numba_kernels.softmax(x)
    monkeypatch.setattr(threads, "_alone_until", threads.perf_counter_ns() + 10**12)
    for _ in range(3):
        assert np.array_equal(numba_kernels.softmax(x), shared)


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
    monkeypatch.setattr(threads, "_FOR_EACH_LOST", 0)  # whoever else works on this machine
    shared = []
    launch = threads.launch
    monkeypatch.setattr(threads, "launch", lambda *given: (shared.append(given[-1]), launch(*given))[1])
    enough = int(PARALLEL_FROM / cost) // 64 + 1
    for rows, parts in ((enough, [2] * 3), (enough - 2, [])):
        x = np.zeros((rows, 64), dtype)
        # a kernel that only the serial short way knows is asked for once in vain: which tests ran before decides
        getattr(numba_kernels, operator)(x)
        shared.clear()
        for _ in range(3):
            getattr(numba_kernels, operator)(x)
        assert shared == parts


def test_a_thread_that_is_to_stay_alone():
    """Its calls, until it is done, also where it says so twice; not those of other threads."""
    found = []

    def ask():
        found.append(parts_for(10 * PARALLEL_FROM, 100))

    with threads.on_this_thread():
        with threads.on_this_thread():
            ask()
        ask()
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    ask()
    # with workqueue no thread but the main one may start any, and it none while others live
    assert found in ([1, 1, 2, 2], [1, 1, 1, 2])
