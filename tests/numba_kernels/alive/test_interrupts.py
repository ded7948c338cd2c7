"""Ctrl-C during a first call: it is raised, at once or when the compilation is over, and the process goes on."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from softops.numba_kernels.compile.interrupts import uninterrupted, without_interrupts

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and signals that POSIX has")


@pytest.mark.parametrize(
    ("moments", "seed"), [(6, 1), pytest.param(400, 0, marks=pytest.mark.slow)], ids=["few", "sweep"]
)
def test_interrupts_of_a_first_call(moments, seed):
    command = [sys.executable, "-m", "tools.interrupts", "--moments", str(moments), "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"works: {moments}\n", "")


@pytest.fixture
def heard():
    """The signals that came, by a handler of SIGUSR1."""
    came = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


def test_signals_wait_until_the_block_is_over(heard):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)]
    with uninterrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGUSR1)
        assert heard == []
    assert heard == [signal.SIGUSR1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)] == handlers


def test_an_interrupt_is_raised_behind_the_block():
    reached = []

    def run():
        signal.raise_signal(signal.SIGINT)
        reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        without_interrupts(run)()
    assert reached == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_are_given_back_after_an_error(heard):
    def fail():
        signal.raise_signal(signal.SIGUSR1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        without_interrupts(fail)()
    assert heard == [signal.SIGUSR1]
    with uninterrupted():
        signal.raise_signal(signal.SIGUSR1)
    assert heard == [signal.SIGUSR1] * 2


def test_other_threads_are_left_alone(heard):
    def run():
        with uninterrupted():
            handlers.append(signal.getsignal(signal.SIGUSR1))

    handlers = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGUSR1)]
