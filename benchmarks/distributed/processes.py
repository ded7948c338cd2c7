"""A measurement in a process of its own: seconds, and the most memory that it and its workers had at a time."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from softops import numba_kernels

from .ways import CHUNK, SHAPES, WAYS, logits

ENGINES = {
    "threads": "one process, 2 threads",
    "1 worker": "1 worker process, 1 thread",
    "2 workers": "2 worker processes, 1 thread each",
    "NumPy": "NumPy, everything in memory",
}


class Measured(NamedTuple):
    """One measurement."""

    shape: str
    engine: str
    way: str
    seconds: float
    megabytes: float
    result: float
    """The greatest probability, or log-sum, or logit."""


@contextmanager
def _cluster(engine: str) -> Iterator[None]:
    from distributed import Client, LocalCluster

    workers = int(engine.split(maxsplit=1)[0])
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=50,
            memory_limit="8GB",
        ) as cluster,
        Client(cluster),
    ):
        yield


def run_one(shape: str, engine: str, way: str, numbers: int) -> None:
    """Run it in this process, and print its seconds as JSON."""
    rows = SHAPES[shape](numbers)
    if engine == "NumPy":
        x = np.random.default_rng(0).random(rows, np.float32)
        x *= 20
        x -= 10
        begin = time.perf_counter()
        if way == "softops":
            result = numba_kernels.softmax(x, out=x).max()
        else:
            e = np.exp(x - x.max(axis=-1, keepdims=True))
            result = (e / e.sum(axis=-1, keepdims=True)).max()
    else:
        import dask

        compute = WAYS[way][1]
        options = {"scheduler": "threads", "num_workers": 2} if engine == "threads" else {}
        with nullcontext() if options else _cluster(engine), dask.config.set(options):
            compute(logits(SHAPES[shape](2 * CHUNK))).compute()
            begin = time.perf_counter()
            result = compute(logits(rows)).compute()
            seconds = time.perf_counter() - begin
    print(json.dumps([time.perf_counter() - begin if engine == "NumPy" else seconds, float(np.max(result))]))


def measured(shape: str, engine: str, way: str, numbers: int) -> Measured:
    """Run it in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.distributed", "--one", shape, engine, way]
    most = 0.0
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, "--numbers", str(numbers)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        while process.poll() is None:
            most = max(most, _resident(process.pid))
            time.sleep(0.02)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        message = f"{shape}, {engine}, {way} ended with {process.returncode}"
        raise RuntimeError(message)
    seconds, result = json.loads(output.splitlines()[-1])
    return Measured(shape, engine, way, seconds, most / 1e6, result)


def _resident(pid: int) -> float:
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total
