"""What the first call in a fresh process costs, with an empty and with a filled cache, and what the import costs."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from .busy import Watch
from .results import Figure
from .timing import four_digits
from .workloads import matches

WARM_TARGET, COLD_TARGET, IMPORT_TARGET = 0.1, 3.0, 0.15
ARGUMENTS = {
    **dict.fromkeys(("softmax", "log_softmax", "hardmax", "logsumexp", "sparsemax", "entmax15"), "x,"),
    **dict.fromkeys(("sigmoid", "log_sigmoid", "softplus", "softmax_stats"), "x,"),
    **dict.fromkeys(("softmax_grad", "log_softmax_grad", "sigmoid_grad"), "x, x"),
    **dict.fromkeys(("cross_entropy", "cross_entropy_grad", "nll_loss"), "x, labels"),
    **dict.fromkeys(("tanh", "erf", "gelu", "swish", "mish", "elu", "celu", "selu"), "x,"),
    **dict.fromkeys(
        ("hard_sigmoid", "hard_swish", "layer_norm", "rms_norm", "sample", "gumbel_softmax"), "x,"
    ),
    **dict.fromkeys(("sparsemax_grad", "entmax15_grad", "linear_softmax", "linear_log_softmax"), "x, x"),
    **dict.fromkeys(("binary_cross_entropy", "binary_cross_entropy_grad"), "x, x * 0"),
    **dict.fromkeys(("linear_cross_entropy", "linear_cross_entropy_grad"), "x, x[:10], labels"),
    "attention": "x[None, None], x[None, None], x[None, None]",
    "attention_decode": "x[:, None], x[:, None, None], x[:, None, None], labels + 1",
    "attention_grad": "*[x[None, None]] * 5, x[None, None, :, 0]",
    "entmax": "x, 1.25",
    "entmax_grad": "x, x, 1.25",
    "gumbel_noise": "x.shape,",
    "merge_stats": "(x, x), (x, x)",
    "linear_logsumexp": "x, x",
    "linear_topk": "x, x, 2",
    "topk": "x, 2",
}
"""Everything that is compiled at a first call, and what it is called with."""
OPERATORS = tuple(ARGUMENTS)
SIZES = {"serial": (2, 10), "parallel": (4096, 100)}
IMPORT_NUMBA, IMPORT_SOFTOPS = "import: numba", "import: softops.numba_kernels beside it"

# Run in a process of its own: argv is the operator, its arguments and the two sizes; prints seconds as JSON.
_SCRIPT = """
import json, sys, time
begin = time.perf_counter()
import numba
with_numba = time.perf_counter()
from softops import numba_kernels
with_softops = time.perf_counter()
import numpy as np
operator, given, rows, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
x, labels = np.linspace(-1, 1, rows * n, dtype=np.float32).reshape(rows, n), np.zeros(rows, np.int64)
arguments = eval(f"({given})")
ready = time.perf_counter()
getattr(numba_kernels, operator)(*arguments)
done = time.perf_counter()
print(json.dumps([with_numba - begin, with_softops - with_numba, done - ready]))
"""


def _fresh_process(operator: str, size: str, cache: str) -> list[float]:
    """Seconds of importing numba, of importing the kernels after it, and of the first call."""
    command = [sys.executable, "-c", _SCRIPT, operator, ARGUMENTS[operator], *map(str, SIZES[size])]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"the first call of {operator} failed in a process of its own:\n{done.stderr}"
        raise RuntimeError(message)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def _fastest_of(repeats: int, operator: str, size: str, cache: str) -> tuple[list[float], float | None]:
    """The least of each duration over so many processes, and the share of the time that others took meanwhile."""
    watch = Watch()
    found = [_fresh_process(operator, size, cache) for _ in range(repeats)]
    return [four_digits(min(each)) for each in zip(*found, strict=True)], watch.others()


def first_call_figures(
    patterns: Sequence[str], *, operators: Sequence[str] = OPERATORS, repeats: int = 3
) -> Iterator[Figure]:
    """First calls with a cold cache (once each: a compilation is long enough) and a warm one (fastest of `repeats`)."""
    imports: list[list[float]] = []
    busy: list[float | None] = []
    for operator in operators:
        for size in SIZES:
            cold_name = f"first call: {operator}, {size}, cold cache"
            warm_name = f"first call: {operator}, {size}, warm cache"
            if not any(matches(name, patterns) for name in (cold_name, warm_name)):
                continue
            with tempfile.TemporaryDirectory(prefix="softops-cache-") as cache:
                cold, others = _fastest_of(1, operator, size, cache)
                warm, others_of_warm = _fastest_of(repeats, operator, size, cache)
            imports.append(warm)
            busy.append(others_of_warm)
            if matches(cold_name, patterns):
                yield Figure(cold_name, cold[2], COLD_TARGET, others)
            if matches(warm_name, patterns):
                yield Figure(warm_name, warm[2], WARM_TARGET, others_of_warm)
    names = [name for name in (IMPORT_NUMBA, IMPORT_SOFTOPS) if matches(name, patterns)]
    if names and not imports:
        with tempfile.TemporaryDirectory(prefix="softops-cache-") as cache:
            found, others = _fastest_of(repeats, "softmax", "serial", cache)
        imports, busy = [found], [others]
    # the least busy of the times when the fastest import may have been
    others = min((share for share in busy if share is not None), default=None)
    if IMPORT_NUMBA in names:
        yield Figure(IMPORT_NUMBA, min(each[0] for each in imports), None, others)
    if IMPORT_SOFTOPS in names:
        yield Figure(IMPORT_SOFTOPS, min(each[1] for each in imports), IMPORT_TARGET, others)
