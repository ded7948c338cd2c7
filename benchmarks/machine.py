"""The machine that a run is made on, as the page names it."""

import platform
from collections.abc import Collection
from pathlib import Path

from llvmlite import binding

from softops.numba_kernels.vector.numba_internals import machine

_OF_X86 = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def instruction_set(triple: str, features: Collection[str]) -> str:
    """The widest vectors that LLVM uses for a machine with these features (``+avx2``)."""
    if triple.startswith(("aarch64", "arm64")):
        return "NEON"
    if not triple.startswith("x86"):
        return triple.partition("-")[0]
    return next((name for feature, name in _OF_X86.items() if f"+{feature}" in features), "SSE2")


def compiled_for() -> str:
    """The instruction set of our kernels: the processor's, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say."""
    return instruction_set(*machine())


def of_processor() -> str:
    """The widest instruction set that the processor has, which other libraries may use."""
    has = [f"+{name}" for name, there in binding.get_host_cpu_features().items() if there]
    return instruction_set(machine()[0], has)
