"""Kernels called in forked and spawned processes: right results, on every threading layer.

With omp a child would end by SIGTERM or hang, once its parent has used the threads.
"""

import importlib.util
import os
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def test_forked_children_of_a_parent_that_used_the_kernels(scenario, layer):
    """A child, and a daemon: a grandchild whose parent is gone, which hangs with omp where a child is killed."""
    code = """
import select

check()
assert on_all_threads()
assert in_fork(lambda: check(3)) == 0
thread = threading.Thread(target=lambda: codes.append(in_fork(check)))
codes = []
thread.start()
thread.join()
assert codes == [0], codes

readable, writable = os.pipe()
parent = os.getpid()

def daemon():
    if os.fork() == 0:
        while os.getppid() == parent:
            time.sleep(0.01)
        time.sleep(0.1)
        check()
        os.write(writable, b"done")

assert in_fork(daemon) == 0
assert select.select([readable], [], [], 20)[0] and os.read(readable, 4) == b"done", "the daemon hangs"
check()
assert on_all_threads()
"""
    scenario(code, layer)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes(scenario, method):
    code = f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

check()
with ProcessPoolExecutor(2, multiprocessing.get_context("{method}")) as pool:
    for result in pool.map(numba_kernels.sigmoid, [x] * 4):
        assert np.allclose(result, right, rtol=1e-6, atol=0)
"""
    scenario(code)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("joblib") is None, reason="joblib is not installed")
def test_workers_of_joblib(scenario):
    code = """
import joblib

check()
for backend in "loky", "threading", "multiprocessing":
    for result in joblib.Parallel(2, backend=backend)(joblib.delayed(numba_kernels.sigmoid)(x) for _ in range(4)):
        assert np.allclose(result, right, rtol=1e-6, atol=0)
"""
    scenario(code)


def test_a_fork_while_another_thread_compiles(scenario, tmp_path):
    """The child would have the compiler's lock, but not the thread that releases it."""
    code = """
lock = threads.global_compiler_lock._lock
thread = threading.Thread(target=check)
thread.start()
while lock.acquire(blocking=False):
    lock.release()
    time.sleep(0.001)
assert in_fork(check, 60) == 0
thread.join()
"""
    scenario(code, NUMBA_CACHE_DIR=str(tmp_path))


def test_a_fork_before_the_first_import(scenario):
    """The parent starts Numba's threads in a loop of its own, the child is the first to import softops."""
    code = """
users_loop(np.ones(10))
for name in [name for name in sys.modules if name.startswith("softops")]:
    del sys.modules[name]

def import_and_check():
    global numba_kernels
    from softops import numba_kernels
    check()

assert in_fork(import_and_check) == 0
"""
    scenario(code, users_loop=True)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for a library of Linux")
def test_a_fork_after_another_library_used_openmp(scenario):
    """PyTorch brings the libgomp.so.1 that Numba then uses too; a child has its state and not its threads."""
    code = """
import ctypes

try:
    gomp = ctypes.CDLL("libgomp.so.1")
except OSError:
    sys.exit()
body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda nothing: None)
gomp.GOMP_parallel(body, None, 4, 0)
assert in_fork(check) == 0
check()
assert on_all_threads()
"""
    scenario(code)


def test_a_fork_before_any_thread_uses_all_cores(scenario):
    code = """
def child():
    check()
    assert on_all_threads()

assert in_fork(child) == 0
"""
    scenario(code)
