"""On a cluster of two worker processes: every function, a worker that dies, more logits than there is memory.

All of it stands in this file, so that one process of the tests owns the cluster.
"""

import math
import os
import sys
import time

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays

MEMORY = 400_000_000  # bytes a worker


def listen(dask_worker):
    """Note every compilation from now on."""
    from numba.core import event

    dask_worker.compilations = event.RecordingListener()
    event.register("numba:compile", dask_worker.compilations)


@pytest.fixture(scope="session")
def client():
    """A client of two workers, of one thread and 400 MB each."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    settings = {"distributed.worker.memory.terminate": False, "distributed.scheduler.allowed-failures": 10}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=MEMORY, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as connected,
    ):
        connected.run(listen)
        yield connected


def run_all(x):
    """Results of every function on (4, 50, 3), and of a head on rows of 50 features."""
    labels = np.random.default_rng(1).integers(0, 50, (4, 3))
    weight = np.random.default_rng(2).normal(size=(40, 50)).astype(x.dtype)
    functions, rows = kernels, np.moveaxis(x, 1, -1)
    if isinstance(x, da.Array):
        functions, rows = dask_arrays, da.moveaxis(x, 1, -1).rechunk({2: -1})
        weight = da.from_array(weight, chunks=(13, -1))
    of_labels = labels % 40
    return {
        "softmax": functions.softmax(x, 1),
        "tempered": functions.softmax(x, (0, 1), temperature=0.5, where=labels[:, None] < 40),
        "log_softmax": functions.log_softmax(x, 1),
        "logsumexp": functions.logsumexp(x, 1),
        "weighted": functions.logsumexp(x, 1, b=np.linspace(0, 1, 50)[:, None]),
        "hardmax": functions.hardmax(x, 1),
        "topk": functions.topk(x, 5, 1, probabilities=True),
        "cross_entropy": functions.cross_entropy(x, labels),
        "smoothed": functions.cross_entropy(x, labels, label_smoothing=0.1),
        "cross_entropy_grad": functions.cross_entropy_grad(x, labels),
        "smoothed_grad": functions.cross_entropy_grad(x, labels, label_smoothing=0.1),
        "sample": functions.sample(x, 3, axis=1, seed=3),
        "sample_top_k": functions.sample(x, 3, axis=1, seed=3, top_k=4, min_p=0.01),
        "linear_softmax": functions.linear_softmax(rows, weight),
        "linear_log_softmax": functions.linear_log_softmax(rows, weight),
        "linear_logsumexp": functions.linear_logsumexp(rows, weight),
        "linear_topk": functions.linear_topk(rows, weight, 3),
        "linear_cross_entropy": functions.linear_cross_entropy(rows, weight, of_labels),
        "linear_cross_entropy_grad": functions.linear_cross_entropy_grad(rows, weight, of_labels),
    }


def compilations(dask_worker):
    return [str(event.data["dispatcher"]) for _, event in dask_worker.compilations.buffer if event.is_start]


def test_every_function(chunked, scores, client):
    """As the NumPy function within rounding; the bits of this thread's results; and compiled nowhere but here."""
    x = scores(np.float32)
    lazy, wanted = run_all(chunked(x)), run_all(x)
    assert {*dask_arrays.__all__} <= {*lazy}
    (here,) = dask.compute(lazy)
    on_cluster = client.gather(client.compute(lazy))
    for name, exact in wanted.items():
        for far, near, numbers in zip(*map(as_tuple, (on_cluster[name], here[name], exact)), strict=True):
            np.testing.assert_array_equal(far, near, err_msg=name)
            np.testing.assert_allclose(far, numbers, rtol=1e-5, atol=1e-6, err_msg=name)
    assert set(map(tuple, client.run(compilations).values())) == {()}


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def test_kernels_start_no_threads_of_their_own(client):
    """A chunk that would be worth all processors stays on the thread of its task."""

    def layer_started():
        from numba.np.ufunc import parallel

        return parallel._is_initialized

    x = da.ones((2, 4_000_000), chunks=(1, 1_000_000), dtype=np.float32)
    client.compute([dask_arrays.softmax(x, 0).max(), dask_arrays.softmax(x, 1).max()], sync=True)
    assert set(client.run(layer_started).values()) == {False}


def test_a_worker_dies(client, scores):
    """Its chunks are computed again by the other, or by the one that takes its place: the same bits."""

    def slowly(block):
        time.sleep(0.1)
        return block

    x = np.tile(scores(np.float32), (1, 10, 1))
    slow = da.from_array(x, chunks=(2, 50, 3)).map_blocks(slowly, dtype=np.float32)
    given = da.from_array(x, chunks=(2, 50, 3))
    wanted = dask.compute(dask_arrays.softmax(given, 1), dask_arrays.topk(given, 3, 1))
    futures = client.compute([dask_arrays.softmax(slow, 1), dask_arrays.topk(slow, 3, 1)])
    first = next(iter(client.scheduler_info()["workers"]))
    pid = client.run(os.getpid, workers=[first])[first]
    while not any(client.run(lambda dask_worker: len(dask_worker.data) > 2).values()):
        time.sleep(0.02)
    os.kill(pid, 9)
    result, best = client.gather(futures)
    np.testing.assert_array_equal(result, wanted[0])
    for part, exact in zip(best, wanted[1], strict=True):
        np.testing.assert_array_equal(part, exact)
    assert pid not in client.run(os.getpid).values()
    client.wait_for_workers(2)


PATTERN = np.linspace(-3, 3, 1000, dtype=np.float32)


def repeated(block_info):
    """A chunk of a row that repeats a pattern, made where it is needed."""
    return np.resize(PATTERN, block_info[None]["chunk-shape"])


def peak(dask_worker):
    """Of the worker alone: Linux hands the peak of the process that started it on to getrusage."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def one_row(gigabytes):
    length, count = 4_000_000, int(gigabytes * 250_000_000)
    chunks = ((1,), (length,) * (count // length))
    return da.map_blocks(repeated, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0), np.float32))


@pytest.mark.parametrize("gigabytes", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_one_row_larger_than_the_memory(gigabytes, client):
    """Its log-sum and its probabilities are known from the pattern that it repeats."""
    x = one_row(gigabytes)
    assert x.nbytes > 2 * MEMORY
    of_pattern = math.fsum(math.exp(each) for each in PATTERN.astype(float))
    times = x.size // len(PATTERN)
    p = dask_arrays.softmax(x, recompute=True)
    log_sum, greatest, least = client.compute([dask_arrays.logsumexp(x), p.max(), p.min()], sync=True)
    np.testing.assert_allclose(log_sum, math.log(of_pattern * times), rtol=1e-6)
    np.testing.assert_allclose(greatest, math.exp(3) / of_pattern / times, rtol=2.0**-23)
    np.testing.assert_allclose(least, math.exp(-3) / of_pattern / times, rtol=2.0**-23)
    assert max(client.run(peak).values()) < MEMORY


@pytest.mark.slow
def test_one_row_that_is_held_is_spilled(client):
    x = one_row(4)
    of_pattern = math.fsum(math.exp(each) for each in PATTERN.astype(float))
    greatest = client.compute(dask_arrays.softmax(x).max(), sync=True)
    np.testing.assert_allclose(greatest, math.exp(3) / of_pattern / (x.size // 1000), rtol=2.0**-23)
    assert max(client.run(peak).values()) < MEMORY


def test_what_a_task_refuses_comes_back(client):
    x = da.ones((4, 6), chunks=(2, 3), dtype=np.float32)
    hidden = x.map_blocks(lambda block: np.ma.masked_less(block, 2), dtype=np.float32, meta=x._meta)
    wrong = x.map_blocks(lambda block: block.astype(int), dtype=np.float32, meta=x._meta)
    for given, text in ((hidden, "without a mask"), (wrong, r"softmax takes float16.*got int64")):
        with pytest.raises(TypeError, match=text):
            client.compute(dask_arrays.softmax(given), sync=True)


def test_chunks_without_rows(client, scores):
    x = scores(np.float32).reshape(4, 150)
    given = da.from_array(x, chunks=((0, 3, 0, 1), (70, 0, 80)))
    np.testing.assert_allclose(
        client.compute(dask_arrays.softmax(given), sync=True), kernels.softmax(x), rtol=2.0**-22
    )
