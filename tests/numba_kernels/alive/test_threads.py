"""Kernels called from many threads of Python and within parallel loops: right results, on every threading layer.

With workqueue the process would end by SIGABRT in the first three.
"""

import sys

import pytest


def test_threads_of_python(scenario, layer):
    """Eight threads that all start with the first call; then the main thread alone, on all of Numba's threads."""
    code = """
import numba
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(8) as pool:
    assert all(pool.map(check, [30] * 8))
check()
assert on_all_threads()
print(numba.threading_layer())
"""
    assert scenario(code, layer) == layer


def test_beside_a_parallel_loop_of_the_user_in_another_thread(scenario, layer):
    code = """
users_loop(np.ones(10))
check()
stop = threading.Event()

def loop():
    while not stop.is_set():
        assert users_loop(np.ones(100_000)) == 100_000

thread = threading.Thread(target=loop)
thread.start()
check(300)
stop.set()
thread.join()
"""
    scenario(code, layer, users_loop=True)


def test_beside_a_thread_that_threading_does_not_know(scenario, layer):
    code = """
import _thread

users_loop(np.ones(10))
check()
assert on_all_threads()
stop, ended = threading.Event(), threading.Event()

def loop():
    while not stop.is_set():
        users_loop(np.ones(100_000))
    ended.set()

_thread.start_new_thread(loop, ())
if {layer!r} == "workqueue":
    assert threads.parts_for(x.size, x.size) == 1
check(300)
stop.set()
ended.wait()
end = time.monotonic() + 20
while not on_all_threads():  # the thread has yet to leave
    assert time.monotonic() < end
    time.sleep(0.01)
"""
    scenario(code.replace("{layer!r}", repr(layer)), layer, users_loop=True)


def test_within_a_parallel_loop_of_the_user(scenario, layer):
    code = """
import numba

@numba.njit(parallel=True)
def outer(n):
    total = 0
    for i in numba.prange(n):
        with numba.objmode(good="int64"):
            good = int(check())
        total += good
    return total

check()
assert outer(16) == 16
assert on_all_threads()
"""
    scenario(code, layer)


def test_a_layer_that_cannot_be_loaded(scenario):
    code = """
check()
assert threads.parts_for(x.size, x.size) == 1
"""
    scenario(code, "no-such-layer")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process")
def test_keyboard_interrupts_leave_nothing_locked(scenario):
    # What the handler does is what Python's own does, but within the package alone: anywhere else the scenario itself
    # would be interrupted, in a `finally` for instance.
    code = """
check()
pid, stop, caught = os.getpid(), threading.Event(), 0
package = os.path.dirname(numba_kernels.__file__)

def interrupted(number, frame):
    while frame is not None:
        if frame.f_code.co_filename.startswith(package + os.sep):
            raise KeyboardInterrupt
        frame = frame.f_back

def interrupt():
    while not stop.wait(0.002):
        os.kill(pid, signal.SIGINT)

signal.signal(signal.SIGINT, interrupted)
thread = threading.Thread(target=interrupt)
thread.start()
while caught < 200:
    try:
        numba_kernels.sigmoid(x)
    except KeyboardInterrupt:
        caught += 1
stop.set()
thread.join()
assert on_all_threads()
check(3)
"""
    scenario(code)


def test_numbas_settings_are_obeyed_and_left_alone(scenario):
    code = """
import numba

before = dict(os.environ)
numba.set_num_threads(3)
check()
assert threads.parts_for(x.size, x.size) == 3
assert threads.parts_for(x.size, 2) == 2
assert threads.parts_for(x.size, 1) == threads.parts_for(100, 100) == 1
assert numba.get_num_threads() == 3
numba.set_num_threads(1)
check()
assert threads.parts_for(x.size, x.size) == 1
assert numba.get_num_threads() == 1
assert dict(os.environ) == before
"""
    scenario(code)
