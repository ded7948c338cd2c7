"""``python -m benchmarks.report.overview``: errors and speed beside other libraries, as one small picture.

    python -m benchmarks.report.overview benchmarks/runs/avx512.json --docs docs/overview.svg

Errors are measured anew, times are those of a committed run.
"""

import math
import warnings
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from ..accuracy.inputs import QUICK, Effort
from ..accuracy.results import measure
from ..peers.onnxruntime import OnnxRuntime
from ..peers.scipy import SciPy
from ..peers.torch import Torch
from ..results import OURS, Results, geometric_mean, write_atomically

WIDTH, ROW, TOP, PANEL, NAMES = 760, 26, 58, 370, 90
BAR = 200.0
OURS_COLOUR, THEIRS = "#2b7a78", "#a9b4bd"


def worst_errors(effort: Effort) -> dict[str, float]:
    """The worst error of a float32 softmax in ULP, by library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of the very cases that are put to them
        peers = [peer for peer in (Torch(), OnnxRuntime(), SciPy()) if peer.available()]
        return {score.library: score.worst for score in measure("softmax", "float32", peers, effort, 0)}


def relative_times(run: Results) -> tuple[dict[str, float], int]:
    """The geometric mean of each library's time over ours at the most threads, and over how many workloads at most."""
    rows = [row for row in run.rows if row.threads == max(run.threads) and row.ours]
    means = {OURS: 1.0}
    for name in run.peers:
        times = [row.seconds[name] / row.ours for row in rows if row.seconds.get(name)]  # type: ignore[operator]
        mean = geometric_mean(times)
        if mean and len(times) > len(rows) / 3:
            means[name] = mean
    return means, len(rows)


def picture(errors: Mapping[str, float], times: Mapping[str, float], workloads: int, machine: str) -> str:
    """Two panels of bars as SVG, the shortest bar on top."""
    rows = max(len(errors), len(times))
    height = TOP + rows * ROW + 34
    panels = [
        _panel(
            0, "Worst error of a softmax", "units in the last place, float32; log scale", errors, decades=True
        ),
        _panel(
            PANEL + 20,
            "Time of a call",
            f"geometric mean over up to {workloads} workloads, softops = 1",
            times,
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#22313a">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{"".join(panels)}'
        f'<text x="10" y="{height - 10}" font-size="11" fill="#5c6b73">{escape(machine)}; shorter is better</text>\n'
        "</svg>\n"
    )


def _panel(
    left: float, title: str, subtitle: str, values: Mapping[str, float], *, decades: bool = False
) -> str:
    """Name, bar and number of each; a bar of decades begins at a tenth."""
    lengths = {name: math.log10(10 * value) if decades else value for name, value in values.items()}
    longest = max(lengths.values())
    lines = [
        f'<text x="{left + 10}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text x="{left + 10}" y="43" font-size="11" fill="#5c6b73">{escape(subtitle)}</text>',
    ]
    for place, name in enumerate(sorted(values, key=lambda name: values[name])):
        y, length = TOP + place * ROW, max(BAR * lengths[name] / longest, 1)
        colour, weight = (OURS_COLOUR, 600) if name == OURS else (THEIRS, 400)
        start = left + 10 + NAMES
        lines += [
            f'<text x="{start - 8}" y="{y + 14}" text-anchor="end" font-weight="{weight}">{escape(name)}</text>',
            f'<rect x="{start}" y="{y}" width="{length:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
            f'<text x="{start + length + 6:.1f}" y="{y + 14}" font-weight="{weight}">{_number(values[name])}</text>',
        ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def main(
    run: Annotated[Path, typer.Argument(help="What `python -m benchmarks --json` wrote.")],
    docs: Annotated[Path, typer.Option(help="The picture, an .svg file.")],
    quick: Annotated[bool, typer.Option("--quick", help="Few short inputs: to see that it runs.")] = False,
) -> None:
    """Draw errors and speed of softops beside other libraries."""
    found = Results.from_json(run.read_text(encoding="utf-8"))
    times, workloads = relative_times(found)
    machine = f"{found.cpu}, {found.instruction_set}, {max(found.threads)} threads, {found.date[:10]}"
    write_atomically(docs, picture(worst_errors(QUICK if quick else Effort()), times, workloads, machine))


if __name__ == "__main__":
    typer.run(main)
