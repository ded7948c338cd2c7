"""Kernels compiled for lesser processors, without the compiler, and arrays too long for 32-bit numbers."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from softops import numba_kernels

# What every x86-64 has, without FMA and conversions of float16; and the first with AVX2.
PROCESSORS = ["x86-64", "haswell"]
x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="names processors of x86"
)

RESULTS = """
import numpy as np
from softops import numba_kernels
from softops.conformance.measure.ulp import ulp_error
from softops.opset import reference

for dtype, bound in (np.float32, 2), (np.float16, 0.51):
    x = np.random.default_rng(2).normal(scale=10, size=(33, 100)).astype(dtype)
    error = ulp_error(numba_kernels.sigmoid(x), reference.sigmoid(x)).max()
    assert error <= bound, (dtype, error)
x = np.random.default_rng(3).normal(scale=8, size=(33, 100)).astype(np.float32)
x[3, 5:] = -np.inf
for name in "softmax", "log_softmax":
    error = ulp_error(getattr(numba_kernels, name)(x), getattr(reference, name)(x)).max()
    assert error <= 2, (name, error)
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, **environment},
        check=False,
    )


@x86
def test_results_on_any_x86():
    done = python("-c", RESULTS, NUMBA_CPU_NAME=PROCESSORS[0], NUMBA_CPU_FEATURES="")
    assert done.returncode == 0, done.stderr[-2000:]


@x86
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_language_of_kernels_on_lesser_processors(processor):
    exactness_on(processor, "vector")


@x86
@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("tests", ["test_accuracy.py", "test_special_values.py", "test_probabilities.py"])
def test_exactness_on_lesser_processors(processor, tests):
    exactness_on(processor, tests)


def exactness_on(processor, tests):
    done = python(
        *("-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", str(Path(__file__).parents[1] / tests)),
        NUMBA_CPU_NAME=processor,
        NUMBA_CPU_FEATURES="",
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


def test_without_the_compiler():
    """The import works; a call says what is missing."""
    code = "import numpy as np\nfrom softops import numba_kernels\nprint('imported')\nnumba_kernels.softmax(np.ones(3))"
    done = python("-c", code, NUMBA_DISABLE_JIT="1")
    assert done.stdout == "imported\n"
    assert done.stderr.endswith("unset NUMBA_DISABLE_JIT\n")


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


@pytest.mark.slow
@pytest.mark.skipif(_free_memory() < 12 << 30, reason="takes 12 GiB of free memory")
def test_more_numbers_than_32_bits_count():
    """In place, 4 GiB: the first row and the last, beyond 2³¹ numbers, and everything between."""
    row = np.linspace(-3, 3, 1024).astype(np.float16)
    expected = numba_kernels.softmax(row)
    x = np.zeros((2**21 + 2, 1024), np.float16)
    x[0] = x[-1] = row
    assert numba_kernels.softmax(x, out=x) is x
    np.testing.assert_array_equal(x[0], expected)
    np.testing.assert_array_equal(x[-1], expected)
    assert all((part == 1 / 1024).all() for part in np.array_split(x[1:-1], 64))

    # One row of all of them: 2³¹ + 2048 equal numbers.
    x.fill(0)
    flat = x.reshape(-1)
    assert numba_kernels.logsumexp(flat) == np.float16(np.log(flat.size))
    flat[-1] = 60
    assert numba_kernels.logsumexp(flat) == 60
    numba_kernels.sigmoid(flat, out=flat)
    assert flat[-1] == 1
    assert all((part == 0.5).all() for part in np.array_split(flat[:-1], 64))
