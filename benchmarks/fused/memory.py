"""``python -m benchmarks.fused.memory``: how much more memory a process takes at its height while a call runs.

Each call in a process of its own, after a small one of its kind, so that libraries and compiled code are there: the
most that was resident, before and after, results among it.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..report.markdown import markdown_table
from ..report.table import DASH
from .task import is_installed

_MEASURED = """
from tools.memory import peak
{before}
{call_small}
height = peak()
{call}
print(peak() - height)
"""

_ATTENTION = """
import numpy as np
def made(length):
    return np.random.default_rng(0).standard_normal((3, 1, 1, length, 64), np.float32)
small, large = made(64), made(16384)
"""
_BY_HAND = """
def attend(q, k, v):
    scores = q @ k.transpose(0, 1, 3, 2)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v
"""
_LOSS = """
import numpy as np
def made(rows, features, classes):
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(shape, np.float32) for shape in ((rows, features), (classes, features)))
    return x, weight * features ** -0.5, rng.integers(0, classes, rows)
small, large = made(8, 16, 20), made(512, 512, 50257)
"""
_TORCH_LOSS = """
import torch
def loss(x, weight, labels, gradients):
    x, weight = (torch.tensor(each, requires_grad=gradients) for each in (x, weight))
    value = torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, weight), torch.tensor(labels))
    if gradients:
        value.backward()
"""


@dataclass(frozen=True)
class _Case:
    """One call of a library, of `small` and of `large` arguments."""

    what: str
    library: str
    before: str
    call: str
    """With ``{}`` for the arguments."""


def _cases() -> Iterator[_Case]:
    what = "attention of 16,384 queries and keys (scores: 1,024 MB)"
    yield _Case(what, "softops", _ATTENTION + "from softops.numba_kernels import attention", "attention(*{})")
    attend = "torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, {}))"
    yield _Case(what, "torch", _ATTENTION + "import torch", attend)
    yield _Case(what, "NumPy", _ATTENTION + _BY_HAND, "attend(*{})")
    for what, ours, gradients in (
        ("cross-entropy of a linear layer (512, 512) → 50257 (scores: 98 MB)", "linear_cross_entropy", False),
        ("the same with its gradients (98 MB themselves)", "linear_cross_entropy_grad", True),
    ):
        before = _LOSS + f"from softops.numba_kernels import {ours}"
        yield _Case(what, "softops", before, f"{ours}(*{{}})")
        yield _Case(what, "torch", _LOSS + _TORCH_LOSS, f"loss(*{{}}, {gradients})")


def megabytes(case: _Case) -> float:
    """By how much the process grew."""
    code = _MEASURED.format(
        before=case.before, call_small=case.call.format("small"), call=case.call.format("large")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{case.library} failed at {case.what}:\n{done.stderr}"
        raise RuntimeError(message)
    return int(done.stdout) / 2**20


def table() -> str:
    """All calls, in MB."""
    found: dict[str, dict[str, str]] = {}
    for case in _cases():
        if is_installed(case.library):
            found.setdefault(case.what, {})[case.library] = f"{megabytes(case):,.0f}"
    libraries = list(dict.fromkeys(library for cells in found.values() for library in cells))
    rows = [[what, *(cells.get(library, DASH) for library in libraries)] for what, cells in found.items()]
    return markdown_table(["MB more at the height", *libraries], rows)


if __name__ == "__main__":
    print(table())
