"""The same bits on every processor with a fused multiply-add: those of the committed table.

What the table holds was computed with AVX-512 and, the same, with AVX2. A change that gives other bits on purpose
writes it anew and says so: ``python tests/numba_kernels/one_answer.py > tests/numba_kernels/data/one_answer.json``.
"""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import pytest

from softops.numba_kernels.vector import fuses

HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("one_answer", HERE / "one_answer.py")
one_answer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(one_answer)
DTYPES, digests = one_answer.DTYPES, one_answer.digests
TABLE = json.loads((HERE / "data" / "one_answer.json").read_text())
FMA = "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2"
AVX512 = f"{FMA},+avx512f,+avx512dq,+avx512cd,+avx512bw,+avx512vl"
needs_fma = pytest.mark.skipif(not fuses(), reason="the bits are those of a fused multiply-add")


def differing(found):
    return sorted(key for key, digest in found.items() if TABLE[key] != digest)


@needs_fma
def test_here():
    operators = ["softmax", "log_softmax", "logsumexp", "hardmax", "sigmoid", "linear_softmax", "attention"]
    assert not differing(digests(["float32"], operators))


@needs_fma
@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_everything_here(dtype):
    found = digests([dtype])
    assert not differing(found)
    assert len(found) == len(TABLE) // len(DTYPES)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names processors of x86")
@pytest.mark.parametrize(
    ("processor", "features"), [("haswell", FMA), ("skylake-avx512", AVX512)], ids=["avx2", "avx512"]
)
def test_on_processors_of_x86(processor, features):
    here = llvmlite.binding.get_host_cpu_features()
    if not all(here.get(name.removeprefix("+")) for name in features.split(",")):
        pytest.skip(f"this machine has not all that {processor} has")
    environment = {**os.environ, "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, HERE / "one_answer.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not differing(json.loads(done.stdout))
