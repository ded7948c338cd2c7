"""What a call costs apart from its work."""

from collections.abc import Iterator, Sequence

import numpy as np

from softops.numba_kernels import softmax

from .busy import Watch
from .results import Figure
from .timing import Method, fastest
from .workloads import matches

DISPATCH_TARGET = 2e-6
DISPATCH = "call: checks, layout and dispatch alone, softmax (1, 1) with out="


def call_figures(patterns: Sequence[str], method: Method) -> Iterator[Figure]:
    """Calls on arrays so small that the call is what is timed; float32, one thread by their size."""
    ten, out = np.linspace(-1, 1, 10, dtype=np.float32).reshape(1, 10), np.empty((1, 10), np.float32)
    one, out_one = np.ones((1, 1), np.float32), np.empty((1, 1), np.float32)
    calls = {
        "call: softmax (1, 10) with out=": lambda: softmax(ten, out=out),
        "call: softmax (1, 10)": lambda: softmax(ten),
        DISPATCH: lambda: softmax(one, out=out_one),
    }
    chosen = {name: call for name, call in calls.items() if matches(name, patterns)}
    watch = Watch()
    found = fastest(chosen, method)
    others = watch.others()
    for name, seconds in found.items():
        yield Figure(name, seconds, DISPATCH_TARGET if name == DISPATCH else None, others)
