"""The instruction set is the one that Numba compiles for."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("triple", "features", "name"),
    [
        ("x86_64-unknown-linux-gnu", ["+avx", "+avx2", "+avx512f"], "AVX-512"),
        ("x86_64-pc-windows-msvc", ["+avx", "+avx2", "-avx512f"], "AVX2"),
        ("x86_64-apple-darwin", ["+avx", "+sse4.2"], "AVX"),
        ("x86_64-unknown-linux-gnu", [""], "SSE2"),
        ("aarch64-unknown-linux-gnu", ["+neon"], "NEON"),
        ("arm64-apple-darwin", ["+neon"], "NEON"),
        ("riscv64-unknown-linux-gnu", ["+v"], "riscv64"),
    ],
)
def test_it_is_named_by_the_features(monkeypatch, triple, features, name):
    monkeypatch.syspath_prepend(str(ROOT))
    assert importlib.import_module("benchmarks.machine").instruction_set(triple, features) == name


def test_numbas_settings_count(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    machine = importlib.import_module("benchmarks.machine")
    if machine.of_processor() not in ("AVX2", "AVX-512"):
        pytest.skip("the processor has no AVX2 to leave out")
    settings = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+avx,+avx2"}
    code = "from benchmarks.machine import *; print(compiled_for(), of_processor())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["AVX2", machine.of_processor()]
