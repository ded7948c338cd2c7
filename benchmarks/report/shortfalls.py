"""What of the targets is not reached, counted from the results."""

from collections.abc import Sequence

from ..results import Figure, Results, Row, geometric_mean
from ..workloads import WORKLOADS
from .table import long_duration

MEAN_TARGET, COPY_TARGET = 2.2, 0.85
BEYOND_CACHES = 32 << 20
"""A workload with so many bytes to read and write lies in no cache of the machines that this has run on."""


def shortfalls(results: Results) -> str | None:
    """Markdown; None where every target is reached."""
    found = [line for threads in results.threads for line in _of_rows(results.rows, threads)]
    missed = [figure for figure in results.figures if figure.missed]
    found += [f"{figure.name}: {long_duration(figure.seconds)}{_of_target(figure)}." for figure in missed]
    return "\n".join(f"- {line}" for line in found) or None


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
