"""Run workloads: prepare every library, check that all compute the same, time them in turns."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from .busy import Watch
from .peers.jax import Jax
from .peers.onnxruntime import OnnxRuntime
from .peers.openvino import OpenVino
from .peers.peer import Peer, Prepared
from .peers.plain_copy import copies
from .peers.scipy import SciPy
from .peers.softops import Softops
from .peers.torch import Torch
from .results import OURS, Row
from .timing import Call, Method, fastest
from .workloads import WORKLOADS, Array, Inputs, Workload, inputs, matches

PEERS: tuple[type[Peer], ...] = (Torch, OnnxRuntime, OpenVino, SciPy, Jax)
# Enough to tell the right thing from a wrong one; halves are a few units in the last place wide.
TOLERANCE = {"float32": 1e-3, "float64": 1e-3, "float16": 4e-3, "bfloat16": 3e-2}


def cores() -> int:
    """How many threads there are to time with: the processors this process may use, as Numba counts them."""
    settings: Any = numba.config
    return min(int(settings.NUMBA_NUM_THREADS), os.cpu_count() or 1)


def select(patterns: Sequence[str]) -> list[Workload]:
    """The workloads whose name holds one of the patterns."""
    return [workload for workload in WORKLOADS if matches(workload.name, patterns)]


def differs(actual: Any, expected: Any, dtype: str) -> str | None:
    """What is wrong with a result, or None. Relative to the value or to the mean size, whichever is larger."""
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        return f"wrong result: shape {a.shape} (expected {b.shape})"
    tolerance = TOLERANCE[dtype]
    error = np.abs(a - b) / np.maximum(np.abs(b), np.mean(np.abs(b)))
    worst = float(np.max(error, initial=0.0))
    # "not below" rather than "above": a NaN is wrong too
    return None if worst <= tolerance else f"wrong result: relative error {worst:.2g}"


def _expected(workload: Workload, given: Inputs) -> Array:
    """What our kernels give in float64."""
    wide = Inputs(*(a if a.dtype.kind == "i" else a.astype(np.float64) for a in vars(given).values()))
    double = Workload(workload.operator, workload.shape, workload.axis, "float64", workload.sigma)
    prepared = Softops().prepare(double, wide, 1)
    prepared.call()
    result: Array = prepared.result()
    return result


def first_line(error: Exception) -> str:
    """What a library raised, for a note."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"


def _prepare(
    peer: Peer, workload: Workload, given: Inputs, threads: int, expected: Array
) -> Prepared | str | None:
    """A library ready to be timed; None: it has no such operator; a text: what kept it from computing this."""
    try:
        prepared = peer.prepare(workload, given, threads)
        if prepared is None:
            return None
        prepared.call()
        wrong = differs(prepared.result(), expected, workload.dtype)
    except TypeError as error:
        return f"does not take {workload.dtype} yet" if peer.name == OURS else first_line(error)
    except Exception as error:  # whatever a library raises must not stop the others
        return first_line(error)
    return wrong or prepared


def run_row(workload: Workload, threads: int, peers: Sequence[Peer], method: Method) -> Row:
    """Time one workload."""
    given = inputs(workload)
    expected = _expected(workload, given)

    def prepared() -> Iterator[tuple[str, Prepared | str | None]]:
        for peer in (Softops(), *peers):
            yield peer.name, _prepare(peer, workload, given, threads, expected)

    row = timed(workload.name, prepared(), given.x, threads, method)
    speed = workload.least_bytes / row.ours if row.ours else None
    share = round(speed / (2 * workload.input_bytes / row.copy_seconds), 4) if speed else None
    return replace(row, copy_share=share)


def timed(
    name: str,
    libraries: Iterable[tuple[str, Prepared | str | None]],
    x: Array,
    threads: int,
    method: Method,
) -> Row:
    """Time libraries in turns, and a copy of an array beside them; a text instead of a library is a note."""
    calls: dict[str, Call] = {}
    seconds: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    kept: list[Prepared] = []  # sessions and arrays live as long as they are timed
    with threadpool_limits(threads, user_api="blas"):
        for library, prepared in libraries:
            seconds[library] = None
            if isinstance(prepared, Prepared):
                kept.append(prepared)
                calls[library] = prepared.call
            elif prepared is not None:
                notes[library] = prepared
        copying = copies(x, threads)
        watch = Watch()
        times = fastest(calls | copying, method)
        others = watch.others()
    seconds |= {library: times[library] for library in calls}
    copy_seconds = min(times[each] for each in copying)
    return Row(name, threads, seconds, copy_seconds, notes=notes, others=others)


def run_rows(
    workloads: Sequence[Workload], threads: Sequence[int], peers: Sequence[Peer], method: Method
) -> Iterator[Row]:
    """Time all workloads at every number of threads."""
    for count in threads:
        for workload in workloads:
            yield run_row(workload, count, peers, method)
