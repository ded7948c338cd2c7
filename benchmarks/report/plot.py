"""The ratios as a picture: one panel a thread count, one bar a workload."""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import typer

from ..results import Results, Row, geometric_mean

WON, LOST, REST = "#2b7a78", "#c8553d", "#8a8a8a"


def _panel(axes: Any, rows: list[Row], threads: int, limits: tuple[float, float]) -> None:
    places = range(len(rows))
    ratios = [row.ratio or 1.0 for row in rows]
    colours = [LOST if row.lost else WON for row in rows]
    # a bar starts at 1, where both are equally fast
    axes.barh(places, [ratio - 1 for ratio in ratios], left=1.0, color=colours, height=0.72)
    for place, row in zip(places, rows, strict=True):
        text = "not yet" if row.ours is None else "no peer" if row.ratio is None else f"{row.ratio:.2f}"
        at, colour = (row.ratio or 1.0), "#333333" if row.ratio else REST
        left = row.lost
        axes.annotate(
            text,
            (at, place),
            (-3 if left else 3, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=7,
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    axes.axvline(1.0, color="#333333", linewidth=0.8)
    mean = geometric_mean([row.ratio for row in rows if row.ratio is not None])
    if mean is not None:
        axes.axvline(mean, color=REST, linewidth=0.8, linestyle="--", zorder=0)
    title = f"{threads} thread{'s' if threads > 1 else ''}"
    axes.set_title(title + (f": geometric mean {mean:.2f}" if mean else ""), fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = [
        t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if limits[0] <= t <= limits[1]
    ]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.xaxis.set_minor_locator(_null_locator())
    axes.tick_params(axis="both", labelsize=8, length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _null_locator() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def plottable(path: Path | None) -> Path | None:
    """Refuse an option that asks for a plot, before the work, where there is no matplotlib."""
    if path is not None and importlib.util.find_spec("matplotlib") is None:
        message = 'a plot needs matplotlib (not installed); pip install -e ".[bench]"'
        raise typer.BadParameter(message)
    return path


def save_plot(results: Results, path: Path) -> None:
    """Draw the ratios into `path`, whose ending names the format."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [[row for row in results.rows if row.threads == threads] for threads in results.threads]
    names = list(dict.fromkeys(row.workload for row in results.rows))
    ratios = [row.ratio for row in results.rows if row.ratio is not None] or [1.0]
    limits = (min(0.8, *ratios) / 1.6, max(1.25, *ratios) * 1.6)
    with rc_context({"svg.hashsalt": "softops", "svg.fonttype": "none"}):
        figure = Figure(figsize=(3.2 + 3.6 * len(panels), 1.3 + 0.17 * len(names)), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, rows, threads in zip(grid, panels, results.threads, strict=True):
            _panel(axes, rows, threads, limits)
        grid[0].set_yticks(range(len(names)), names)
        grid[0].set_ylim(len(names) - 0.4, -0.6)
        figure.suptitle("Time of the fastest peer / time of softops", fontsize=11)
        where = f"{results.cpu}, {results.instruction_set}"
        figure.supxlabel(f"above 1: softops is faster   ({where}, {results.date[:10]})", fontsize=8)
        save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
    os.close(handle)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    try:
        figure.savefig(name, dpi=130, metadata=metadata)
        Path(name).chmod(0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
