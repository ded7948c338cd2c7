"""Over how many threads a call is spread, and whether that is safe at this moment.

A serial kernel needs nothing but its own thread and is right everywhere. A parallel one needs Numba's threading layer,
and each layer has places where it ends the process or waits for ever:

========== ==================================== ===================================================================
layer      two Python threads at once, nested   a child forked after the layer was started
========== ==================================== ===================================================================
tbb        safe                                 works, with warnings where other threads were busy
omp (GNU)  safe; nested teams are slow          killed by SIGTERM at its first parallel kernel, a grandchild whose
                                                parent is gone hangs; so does a child of a process that used the
                                                same libgomp through another library (torch) and Numba not at all
workqueue  the process aborts                   works
========== ==================================== ===================================================================

So the serial kernel is taken

- where there is less to do than `PARALLEL_FROM`, which starting threads would not make shorter;
- for a while after a call had to wait for a thread that got no processor, because others have them;
- while another thread runs a parallel kernel of this package: the cores are taken, and nobody waits;
- in a thread that works at somebody's parallel loop already, or that was told so (`on_this_thread`);
- in a child forked after Numba's layer was started or after a libgomp was loaded;
- with workqueue, where other Python threads live, whoever started them: any of them may enter a parallel loop of its
  own meanwhile;
- where the layer that was asked for cannot be loaded.

Nothing of Numba's is set: its thread count is read (`numba.set_num_threads`, also per thread) and obeyed.

Forks wait until a running compilation ends; otherwise the child would inherit the compiler's lock from a thread that it
has not, and hang at its first kernel.
"""

import ctypes
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numba

from ..vector.numba_internals import global_compiler_lock
from ..vector.numba_internals import threading_layers as layer
from .interrupts import uninterrupted

# From so much work on (numbers of a float32 softmax, see `Kernels`) threads are started: a thread by itself takes 6 to
# 12 µs for it, a start 2 to 3 µs.
PARALLEL_FROM = 32768

_POOLS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
_PF_FORKNOEXEC = 0x40


def parts_for(work: float, lines: int) -> int:
    """Over how many threads to spread so much work on so many lines; 1: take the serial kernel."""
    if work < PARALLEL_FROM or lines < 2 or _launch.locked() or _own.alone:
        return 1
    threads = _threads()
    if threads < 2:
        return 1
    return threads if threads < lines else lines  # min() would take longer than asking for the threads


def parts_now(work: float, lines: int) -> int:
    """The same at this moment: 1 while others have the processors."""
    return 1 if _alone_until and perf_counter_ns() < _alone_until else parts_for(work, lines)


@contextmanager
def whatever_others_do(*, alone: bool) -> Iterator[None]:
    """Calls stay on one thread, or share their work where that is safe; nothing is learned of other processes."""
    global _alone_until, _heeds_others  # noqa: PLW0603
    before, _heeds_others = (_alone_until, _heeds_others), False
    _alone_until = sys.maxsize if alone else 0
    try:
        yield
    finally:
        _alone_until, _heeds_others = before


@contextmanager
def on_this_thread() -> Iterator[None]:
    """Calls from this thread stay on it; those from others are not concerned, and Numba's layer is not started."""
    before, _own.alone = _own.alone, True
    try:
        yield
    finally:
        _own.alone = before


def run(pair: tuple[Any, Any], work: float, lines: int, *arguments: Any) -> None:
    """Run ``serial(*arguments)`` or ``parallel(*arguments, parts)`` of a pair of kernels."""
    if work < PARALLEL_FROM or (parts := parts_now(work, lines)) == 1:
        pair[0](*arguments)
        return
    launch(pair[1], *arguments, parts)


def launch(parallel: Any, *arguments: Any) -> int:
    """Run a parallel kernel, of which there is one at a time; what it gives back, see `shares.share_out`."""
    # Between the look at the lock and here another thread may have taken it: then this one waits for one kernel, once.
    # `with` and not a try-lock, because no interrupt comes between taking a lock and entering its block.
    with _launch:
        late: int = parallel(*arguments)
    if late > 0 and _heeds_others:
        _keep_alone(late)
    return late


# What was lost in waiting for a thread that got no processor is at most one part in so many of the time.
_FOR_EACH_LOST = 16


def _keep_alone(late: int) -> None:
    global _alone_until  # noqa: PLW0603  # what is known of the machine at this moment
    _alone_until = perf_counter_ns() + _FOR_EACH_LOST * late


def _one() -> int:
    return 1


def _decide() -> int:
    """At the first call that is large enough: start Numba's threading layer and choose how to count its threads."""
    global _threads  # noqa: PLW0603  # the decision replaces this function
    if _forked_from_program() and _gomp_is_loaded():
        _threads = _one
        return 1
    try:
        with uninterrupted(), global_compiler_lock:
            numba.get_num_threads()
        name = layer.threading_layer()
    except (ImportError, OSError, ValueError):
        _threads = _one
        return 1
    _threads = _counter(name)
    return _threads()


def _counter(name: str) -> Callable[[], int]:
    """A function for the number of threads that this thread may use, with the layer of that name."""
    # Numba's public functions pass two locks on their way to these numbers, which takes 1.5 µs of every call.
    pool = importlib.import_module(f"numba.np.ufunc.{_POOLS[name]}")
    count = ctypes.PYFUNCTYPE(ctypes.c_int)(pool.get_num_threads)
    if name == "workqueue":
        main, is_single = threading.main_thread().ident, _single_thread_test()

        def alone() -> int:
            return count() if threading.get_ident() == main and is_single() else 1

        return alone
    within = _within_region(name, pool)

    def outside() -> int:
        return count() if within() <= 0 else 1

    return outside


def _single_thread_test() -> Callable[[], bool]:
    """A function that tells whether Python knows one thread alone: `threading` counts its own, not those of `_thread`.

    Every thread that may run Python code has a thread state, from before it begins: the list of them is asked.
    """
    if sys.implementation.name != "cpython":
        return lambda: len(sys._current_frames()) == 1
    interpreter, head, following = (
        getattr(ctypes.pythonapi, name)
        for name in ("PyInterpreterState_Get", "PyInterpreterState_ThreadHead", "PyThreadState_Next")
    )
    for function in (interpreter, head, following):
        function.restype = ctypes.c_void_p
    head.argtypes = following.argtypes = [ctypes.c_void_p]
    own = interpreter()
    return lambda: following(head(own)) is None


def _within_region(name: str, pool: Any) -> Callable[[], int]:
    """A function that is above 0 in a thread that works at a parallel loop (with tbb: in all of these but one)."""
    if name == "omp":
        try:
            asked: Callable[[], int] = ctypes.PyDLL(pool.__file__).omp_in_parallel
        except (AttributeError, OSError):
            pass
        else:
            return asked
    return ctypes.PYFUNCTYPE(ctypes.c_int)(pool.get_thread_id)


def _forked_from_program() -> bool:
    """Whether this process is a fork that still runs its parent's program; known on Linux alone."""
    try:
        flags = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[6]
    except (OSError, IndexError):
        return False
    return bool(int(flags) & _PF_FORKNOEXEC)


def _gomp_is_loaded() -> bool:
    """Whether a GNU OpenMP library lies in this process, whoever loaded it; known on Linux alone."""
    try:
        return b"libgomp" in Path("/proc/self/maps").read_bytes()
    except OSError:
        return False


def _after_fork_in_child() -> None:
    global _launch, _threads  # noqa: PLW0603  # a child starts with a lock of its own and without its parent's threads
    global_compiler_lock.release()
    _launch = threading.Lock()
    _threads = _one if layer._is_initialized else _decide


class _Own(threading.local):
    """What is known of a thread."""

    alone = False  # whether its calls are to stay on it


_own = _Own()
_launch = threading.Lock()  # held while a parallel kernel runs
_alone_until = 0  # on the clock of perf_counter_ns
_heeds_others = True
# Numba's layer may have been started before this module was imported, and in a parent of this process.
_threads: Callable[[], int] = _one if layer._is_initialized and _forked_from_program() else _decide

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_after_fork_in_child,
    )
