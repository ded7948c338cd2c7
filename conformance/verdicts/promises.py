"""
What softops itself promises of its kernels, in ULP: the bound ``exact``.

The docstring of each kernel says it, `docs/accuracy.md` measures it by the numbers that stand here. An operator of
which softops promises nothing is held to the strict bound by ``exact`` as well; so is every element for which a
promise in ULP is wider than that, as of large logarithms.
"""

from __future__ import annotations

import numpy as np

from ..measure.ulp import Doubles, is_float, spacing
from .question import Question

_HALVES = ("float16", "bfloat16")
_TWO = dict.fromkeys(("float32", "float64"), 2.0) | dict.fromkeys(_HALVES, 0.51)
_LOSS = _TWO | dict.fromkeys(_HALVES, 1.0)

PROMISED: dict[str, dict[str, float]] = {
    **dict.fromkeys(("softmax", "logsumexp", "sigmoid", "softplus"), _TWO),
    **dict.fromkeys(("log_softmax", "log_sigmoid"), _TWO | {"float32": 1.0}),
    "cross_entropy": _LOSS,
    "softmax_grad": _LOSS | dict.fromkeys(("float32", "float64"), 4.0),
}
"""By kernel and dtype: how many ULP a result may be off by, whatever the processor."""

FUSED: dict[str, dict[str, float]] = {"softmax": PROMISED["softmax"] | {"float32": 1.75}}
"""What is promised instead where the processor has a fused multiply-add; a runtime may run on any."""

KERNELS: dict[str, tuple[str, ...]] = {
    "Softmax": ("softmax",),
    "LogSoftmax": ("log_softmax",),
    "Sigmoid": ("sigmoid",),
    "Softplus": ("softplus",),
    "ReduceLogSumExp": ("logsumexp",),
    "SoftmaxCrossEntropyLoss": ("cross_entropy", "log_softmax"),
}
"""By operator the kernel of each of its outputs: the operators that ``exact`` has a bound of its own for."""

_CANCELLED = 4 * float(np.finfo(np.longdouble).eps)
"""
What a float64 log-sum may be off by besides, relatively to its two terms, where these cancel.

The kernel promises 2⁻¹⁰² there, which the exact value, one of extended precision, cannot tell.
"""


def promise(asked: Question) -> Doubles | None:
    """Return how far each element of an output may be off by what softops promises; None where it promises nothing."""
    kernels = KERNELS.get(asked.case.op, ())
    if not is_float(asked.dtype) or asked.place >= len(kernels):
        return None
    kernel = kernels[asked.place]
    allowed = np.asarray(
        PROMISED[kernel][asked.dtype.name] * spacing(asked.exact, asked.dtype).astype(np.float64)
    )
    if kernel == "logsumexp" and asked.dtype == np.float64:
        # The logarithm of the sum is at most that of the length, and the maximum what remains of the result.
        length = max(asked.x.size // max(asked.exact.size, 1), 1)
        size = np.nan_to_num(np.abs(asked.exact).astype(np.float64), nan=0, posinf=0)
        allowed = np.maximum(allowed, _CANCELLED * (size + 2 * np.log(length)))
    return allowed


def promised(op: str) -> str:
    """Say what softops promises of an operator's first output: dtypes and ULP; empty where it promises nothing."""
    by_ulp: dict[float, list[str]] = {}
    for kernel in KERNELS.get(op, ())[:1]:
        for dtype, ulp in PROMISED[kernel].items():
            by_ulp.setdefault(ulp, []).append(dtype)
    return "; ".join(f"{', '.join(dtypes)} {ulp:g} ULP" for ulp, dtypes in by_ulp.items())
