"""Scenarios in processes of their own, so that an abort or a hang is seen from outside."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

# `check` computes something large enough for all threads and compares; `in_fork` gives a child's exit code or "hangs".
PRELUDE = """
import os, signal, sys, threading, time
import numpy as np
from softops import numba_kernels
from softops.numba_kernels.compile import threads

x = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
right = 1 / (1 + np.exp(-x.astype(np.float64)))

def check(times=1):
    for _ in range(times):
        assert np.allclose(numba_kernels.sigmoid(x), right, rtol=1e-6, atol=0)
    return True

def on_all_threads():
    return threads.parts_for(x.size, x.size) == 4

def in_fork(work, seconds=20):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"
"""

# Appended where a test asks for it: a parallel loop that is none of ours.
USERS_LOOP = """
import numba

@numba.njit(parallel=True, nogil=True)
def users_loop(a):
    total = 0.0
    for i in numba.prange(a.size):
        total += a[i]
    return total
"""


# Asked in a process of its own: here another package may have loaded a library that no fresh process finds.
ASKED = {
    "tbb": "import ctypes; ctypes.CDLL('libtbb.so.12')",
    "omp": "import numba.np.ufunc.omppool",
    "workqueue": "",
}


@functools.cache
def _is_there(layer: str) -> bool:
    done = subprocess.run([sys.executable, "-c", ASKED[layer]], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(params=["omp", "workqueue", "tbb"])
def layer(request: pytest.FixtureRequest) -> str:
    """Each of Numba's threading layers that is installed."""
    if not _is_there(request.param):
        pytest.skip(f"the threading layer {request.param} has no library here")
    return request.param


@pytest.fixture
def scenario() -> Callable[..., str]:
    """scenario(code, layer, users_loop=False, **environment) -> what the process printed; it must end well."""

    def run(code: str, layer: str = "default", *, users_loop: bool = False, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + (USERS_LOOP if users_loop else "") + code],
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": layer, **environment},
            check=False,
        )
        assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
        return done.stdout.strip()

    return run
