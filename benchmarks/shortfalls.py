"""What of the targets is not reached, counted from the results, and why."""

from collections.abc import Callable, Sequence

from .calls import DISPATCH
from .results import Figure, Results, Row, geometric_mean
from .table import long_duration
from .workloads import WORKLOADS

MEAN_TARGET, COPY_TARGET = 2.0, 0.85
BEYOND_CACHES = 32 << 20
"""A workload with so many bytes to read and write lies in no cache of the machines that this has run on."""

_ONE_NUMBER = (
    "On one core of a 3.1 GHz processor with AVX2, rows of 1,000 float32 logits in the nearest caches take 0.50 ns a "
    "number: 0.05 for the extremes, 0.37 for exponentials and their sum, 0.08 to scale. An exponential that is right "
    "to 5/6 of a unit takes eleven multiplications and additions, of which that processor does two a cycle, and its "
    "chain of nine is 40 cycles long, of which no more than four fit into what the processor sees at once."
)
_CAUSES: tuple[tuple[str, Callable[[Row], bool], str], ...] = (
    (
        "softmax, float32",
        lambda row: row.workload.startswith("softmax (") and "float32" in row.workload,
        f"{_ONE_NUMBER} Merging the loops, running two against each other, sums that lag behind the exponentials and "
        "vectors of half the length were tried, and were no faster. One long row on several threads starts them three "
        "times, at 3 µs each.",
    ),
    (
        "log_softmax",
        lambda row: row.workload.startswith("log_softmax ("),
        "To be right to 1 ULP beside zero, float32 needs of an exponential also what it is off by, unless most of the "
        "sum is left without the maximum: 0.15 ns a number more than softmax for the first rest, 0.30 for all of it, "
        "which short wide rows take (128 numbers, sigma 3). Plain exponentials alone came to 1.2 ULP where many scores "
        "are equal. Some rows are summed a second time, which the first sum decides.",
    ),
    (
        "hardmax along an inner axis",
        lambda row: row.workload.startswith("hardmax (") and "axis" in row.workload,
        "Lines beside each other are brought into a scratch and back, four vectors at a time; wider tiles were no "
        "faster.",
    ),
    (
        "sigmoid",
        lambda row: row.workload.startswith("sigmoid ("),
        "An exponential and a division, 0.41 ns a number in the nearest cache, monotone, within 2 ULP and gradual down "
        "to the smallest number. onnxruntime's rational function is off by 7·10⁷ ULP in the tail (see accuracy.md).",
    ),
    (
        "softmax_grad",
        lambda row: row.workload.startswith("softmax_grad ("),
        "Near the speed of a copy already; the difference is that products are added in float64.",
    ),
    (
        "halves",
        lambda row: "float16" in row.workload,
        "Converted a row at a time to float32 and back; the log-sum is that of float32.",
    ),
    (
        "calls on a few numbers",
        lambda row: "(1, 10)" in row.workload,
        "Arrays are asked in machine code where they lie, 0.3 µs; what that does not know for certain is asked in "
        "Python, 2 µs.",
    ),
)
_COLD = (
    "Cold first calls: two thirds of the time are LLVM's work on explicit vectors; the loop over threads, 0.5 s, is "
    "compiled once for all operators. `warmup()` compiles ahead."
)
_WARM = (
    "First calls with a warm cache read some 150 KB of machine code each for the kernel and the loop over threads; the "
    "operators that bring strided lines into memory of their own have Numba set up its runtime and import its arrays "
    "besides, 50 ms. Both, and the import, were 40 % faster on the same machine while it was quiet."
)
_COPY = (
    "The share of a copy's speed falls where the exponentials and not the memory are the limit: 0.5 ns a number are "
    "16 GB/s of reading and writing on one core, and a copy is faster than that."
)


def shortfalls(results: Results) -> str | None:
    """Markdown; None where every target is reached."""
    found = [line for threads in results.threads for line in _of_rows(results.rows, threads)]
    missed = [figure for figure in results.figures if figure.missed]
    found += [f"{figure.name}: {long_duration(figure.seconds)}{_of_target(figure)}." for figure in missed]
    if not found:
        return None
    lost = [row for row in results.rows if row.lost]
    causes = [f"**{name}.** {cause}" for name, applies, cause in _CAUSES if any(map(applies, lost))]
    if any("copy" in line for line in found):
        causes.append(f"**Large arrays.** {_COPY}")
    if any(figure.name == DISPATCH for figure in missed) and not any(
        "(1, 10)" in row.workload for row in lost
    ):
        causes.append(f"**{_CAUSES[-1][0]}.** {_CAUSES[-1][2]}")
    if any("cold cache" in figure.name for figure in missed):
        causes.append(f"**First calls.** {_COLD}")
    if any("warm cache" in figure.name or "import" in figure.name for figure in missed):
        causes.append(f"**Warm first calls.** {_WARM}")
    return "\n\n".join(["\n".join(f"- {line}" for line in found), *causes])


def _of_target(figure: Figure) -> str:
    return "" if figure.target is None else f", and should be below {long_duration(figure.target)}"


def _of_rows(rows: Sequence[Row], threads: int) -> list[str]:
    chosen = [row for row in rows if row.threads == threads and row.ratio is not None]
    ratios = [row.ratio for row in chosen if row.ratio is not None]
    where, lines = f"{threads} thread{'s' if threads > 1 else ''}", []
    mean = geometric_mean(ratios)
    if mean is not None and mean < MEAN_TARGET:
        lines.append(f"{where}: the geometric mean is {mean:.2f}, and should be {MEAN_TARGET:g} or more.")
    lost = [ratio for ratio in ratios if ratio < 1]
    if lost:
        lines.append(
            f"{where}: {len(lost)} of {len(ratios)} rows are lost, at {min(lost):.2f} to {max(lost):.2f} of the "
            "fastest library's speed; none should be."
        )
    large = {workload.name for workload in WORKLOADS if workload.least_bytes >= BEYOND_CACHES}
    shares = [row.copy_share for row in chosen if row.workload in large and row.copy_share is not None]
    slow = [share for share in shares if share < COPY_TARGET]
    if slow:
        lines.append(
            f"{where}: of {len(shares)} rows beyond the caches {len(slow)} run at {min(slow):.0%} to {max(slow):.0%} "
            f"of a copy's speed; {COPY_TARGET:.0%} was the aim."
        )
    return lines
