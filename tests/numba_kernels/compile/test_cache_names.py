"""Kernels that different processes compiled and one process loads do not take each other's place."""

ONE = "import numpy as np, softops.numba_kernels as k; k.{name}(np.ones((2, 1), np.float32))"
BOTH = """
import numpy as np, softops.numba_kernels as k
x = np.ones((2, 1), np.float32)
print(k.softmax(x).tolist(), k.log_softmax(x).tolist(), k.hardmax(x - 1).tolist())
"""


def test_compiled_apart_and_loaded_together(run_python, tmp_path):
    for name in ("softmax", "log_softmax", "hardmax"):
        run_python(ONE.format(name=name), NUMBA_CACHE_DIR=tmp_path)
    assert run_python(BOTH, NUMBA_CACHE_DIR=tmp_path) == "[[1.0], [1.0]] [[0.0], [0.0]] [[1.0], [1.0]]"
