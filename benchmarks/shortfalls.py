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
    "In nanoseconds a number, on one core of a 3.1 GHz processor with AVX2, rows of 1,000 float32 logits in the "
    "nearest cache: 0.055 to find the maximum, 0.235 for the exponentials, 0.065 to sum them in float64, 0.065 to "
    "scale; 0.42 together, and onnxruntime takes 0.44 for all of it. Between the four stages each row waits for a "
    "result (maximum, sum, reciprocal): 25 to 45 ns a row, which is a third of the time at 128 numbers."
)
_CAUSES: tuple[tuple[str, Callable[[Row], bool], str], ...] = (
    (
        "softmax, float32",
        lambda row: row.workload.startswith("softmax (") and "float32" in row.workload,
        f"{_ONE_NUMBER} Exactness has its share: an argument that is reduced in two steps, a polynomial to 2⁻²⁸ and a "
        "sum in float64. Merging the stages, running two of them against each other and vectors of half the length "
        "were tried, and were no faster.",
    ),
    (
        "log_softmax",
        lambda row: row.workload.startswith("log_softmax ("),
        "To be right to 1 ULP beside zero, float32 takes of each exponential also what it is off by, and adds both in "
        "float64: 0.5 ns a number where the exponentials alone take 0.24; the result is a difference in float64, 0.1 "
        "ns more. Without the second parts the error came to 0.97 ULP for a gain of 7 %. float64 is compensated "
        "throughout.",
    ),
    (
        "sigmoid",
        lambda row: row.workload.startswith("sigmoid ("),
        "Some sixty operations for eight numbers against some twenty: exp(-|x|) with what it is off by, a division, "
        "and a correction of the quotient, which keep it monotone, within 1 ULP and gradual down to the smallest "
        "number. onnxruntime's rational function is off by 7·10⁷ ULP in the tail (see accuracy.md).",
    ),
    (
        "softmax_grad",
        lambda row: row.workload.startswith("softmax_grad ("),
        "Near the speed of a copy already; the difference is that products are added in float64.",
    ),
    (
        "halves",
        lambda row: "float16" in row.workload,
        "Converted a row at a time to a float32 scratch and back; the log-sum is that of float32.",
    ),
    (
        "calls on a few numbers",
        lambda row: "(1, 10)" in row.workload,
        "The checks and the address of each array are done in Python, 1.8 µs; Numba's own way into a function of ten "
        "arguments takes 0.6 µs. torch does both in C++.",
    ),
)
_COLD = (
    "Cold first calls: a kernel is made of some sixty small functions, each of which Numba analyses by itself; half of "
    "the time is its front end, half LLVM. Compiling less for a first call (short rows apart from long ones: 0.8 s of "
    "4.6; functions that are linked and not emitted: 0.5 s) would not reach the target either, and is not done. "
    "`warmup()` compiles ahead."
)
_COPY = (
    "The share of a copy's speed falls where the exponentials and not the memory are the limit: 0.42 ns a number are "
    "19 GB/s of reading and writing on one core, and a copy is faster than that."
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
