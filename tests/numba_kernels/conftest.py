"""What the tests of the kernels share: the dtypes, Python in a process of its own, traced functions run on arrays."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from softops.numba_kernels.compile.threads import whatever_others_do
from softops.numba_kernels.vector import KINDS, traced

DTYPES = [np.float32, np.float64]


@pytest.fixture(params=DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    return np.dtype(request.param)


@pytest.fixture
def start_python() -> Callable[..., subprocess.Popen]:
    """start_python(code, **environment) -> a running process; a variable given as None is taken away."""

    def start(code: str, **environment: object) -> subprocess.Popen:
        merged = {**os.environ, **{name: value and str(value) for name, value in environment.items()}}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in merged.items() if value is not None},
        )

    return start


@pytest.fixture
def run_python(start_python: Callable[..., subprocess.Popen]) -> Callable[..., str]:
    """run_python(code, **environment) -> what it printed; it must end well and say nothing on stderr."""

    def run(code: str, **environment: object) -> str:
        process = start_python(code, **environment)
        output, errors = process.communicate(timeout=240)
        assert (process.returncode, errors) == (0, "")
        return output.strip()

    return run


@pytest.fixture(scope="session")
def compiled_by_user() -> Callable[..., object]:
    """compiled_by_user(**options) -> jitted functions of another module, `user_functions`, that call the kernels."""
    spec = importlib.util.spec_from_file_location(
        "user_functions", Path(__file__).with_name("user_functions.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compiled


def run_traced(work, dtype, out, *sources, count=0):
    """``work(kind, dst, sources, count)`` on the addresses of arrays, `count` a number it may use; gives `out`."""
    kind, pad = KINDS[np.dtype(dtype)], 3 - len(sources)

    @traced
    def body(kind, dst, a, b, c, count) -> None:
        work(kind, dst, (a, b, c)[: len(sources)], count)

    @numba.njit
    def kernel(dst, a, b, c, count):
        body(kind, dst, a, b, c, count)

    places = [source.ctypes.data for source in sources] + [0] * pad
    kernel(out.ctypes.data, *places, count)
    return out


@pytest.fixture
def run():
    return run_traced


@pytest.fixture
def steady_threads() -> Iterator[None]:
    """Calls share their work whenever they are large enough.

    After a wait for a thread they would stay on one for a while, and load a kernel in the middle of what is measured.
    """
    with whatever_others_do(alone=False):
        yield


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """threads(number): until the test ends Numba uses so many; it is skipped where there are fewer."""
    before = numba.get_num_threads()

    def use(number: int) -> None:
        if number > numba.config.NUMBA_NUM_THREADS:
            pytest.skip("fewer threads here")
        numba.set_num_threads(number)

    yield use
    numba.set_num_threads(before)
