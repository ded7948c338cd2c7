"""warmup: afterwards nothing is compiled any more."""

import pytest

from softops.numba_kernels import warmup

AFTER = """
import sys
import numba.core.compiler, numpy as np
from softops import numba_kernels as kernels
from softops.numba_kernels.compile import threads

threads._alone_until = UNTIL  # whether others have the processors at this moment
kernels.warmup(operators=NAMES)

def refuse(*args, **kwargs):
    raise AssertionError("compiled")

numba.core.compiler.compile_extra = refuse
threads._alone_until = AFTERWARDS
for shape in [(2, 40), (2, 40), (100, 1000), (1, 50000)]:
    x = np.ones(shape, np.float32)
    for name in NAMES:
        for axis in (0, 1):
            getattr(kernels, name)(x, axis)
    for options in ({"temperature": 2.0}, {"where": x > 0}):
        if "softmax" in NAMES:
            kernels.softmax(x, **options)
for shape in [(40,), (5,), (2, 40), (1, 3, 40), (1, 1, 3, 5)] * 2:
    for name in NAMES:
        getattr(kernels, name)(np.ones(shape, np.float32))
print("done")
"""


NEVER, ALWAYS = "0", "sys.maxsize"


@pytest.mark.parametrize(("until", "afterwards"), [(NEVER, NEVER), (ALWAYS, NEVER), (NEVER, ALWAYS)])
@pytest.mark.parametrize("names", [["softmax"], ["hardmax", "logsumexp"]], ids=" ".join)
def test_nothing_is_compiled_afterwards(names, until, afterwards, run_python, tmp_path):
    """Whether the machine is busy while kernels are compiled, or when they are called, or not."""
    code = AFTER.replace("NAMES", repr(names)).replace("UNTIL", until).replace("AFTERWARDS", afterwards)
    assert run_python(code, NUMBA_CACHE_DIR=tmp_path) == "done"
    # and from the cache, in another process, there is nothing to compile at all
    code = code.replace("kernels.warmup", "pass  #")
    assert run_python(code, NUMBA_CACHE_DIR=tmp_path) == "done"


def test_one_operator_and_one_dtype():
    assert warmup("float32", "sigmoid") is None
    assert warmup(dtypes=(), operators=["softmax"]) is None


def test_refusals():
    with pytest.raises(ValueError, match=r"operators among softmax, .*got .softmin"):
        warmup(operators=["softmin"])
    for dtype in ("int64", "no dtype", int):
        with pytest.raises(TypeError, match="dtypes among float32"):
            warmup([dtype])
