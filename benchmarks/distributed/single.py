"""What single chunks cost, and a task: the figures that docs/distributed.md computes with."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from softops.numba_kernels import linear_logsumexp
from softops.numba_kernels.compile.threads import on_this_thread
from softops.numba_kernels.log_sums.pieces import Sums, merged_sums, shares_of_piece, sums_of_piece

SHARD, ROWS, FEATURES = 15_625, 64, 1024


def single_chunks() -> dict[str, float]:
    """Nanoseconds on one thread: of a logit of a shard, of a row of 64 shards, of a multiply-add of a head."""
    random = np.random.default_rng(0)
    logits, rows, weight = (
        random.standard_normal(shape, np.float32)
        for shape in ((ROWS, SHARD), (ROWS, FEATURES), (SHARD, FEATURES))
    )
    sums = sums_of_piece(logits)
    pieces = Sums(*(np.repeat(each[:, None], 64, 1) for each in sums))
    with on_this_thread():
        return {
            "sums of a shard, a logit": _fastest(lambda: sums_of_piece(logits)) / logits.size,
            "probabilities from merged sums, a logit": _fastest(lambda: shares_of_piece(logits, sums))
            / logits.size,
            "merging the sums of 64 shards, a row": _fastest(lambda: merged_sums(pieces)) / ROWS,
            "scores and log-sums of a head, a multiply-add": _fastest(lambda: linear_logsumexp(rows, weight))
            / (logits.size * FEATURES),
        }


def _fastest(call: Callable[[], Any]) -> float:
    """Nanoseconds of the fastest of 20 calls."""
    call()
    times = []
    for _ in range(20):
        begin = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begin)
    return float(min(times))


def nanoseconds_a_task() -> float:
    """What a task costs that does nothing, with two workers."""
    from distributed import Client, LocalCluster

    count, times = 2000, []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        for attempt in range(3):
            begin = time.perf_counter_ns()
            client.gather(client.map(abs, range(attempt * count, (attempt + 1) * count)))
            times.append((time.perf_counter_ns() - begin) / count)
    return min(times)
