"""The worst error for each spread of the logits as a picture: softmax and log_softmax in float32."""

# ruff: noqa: RUF001 (σ and − stand for what they are)

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..report.plot import save_figure
from ..results import OURS
from .results import PROMISED, Score

OPERATORS = ("softmax", "log_softmax")
DTYPE = "float32"
COLOURS = {OURS: "#2b7a78", "torch": "#c8553d", "onnxruntime": "#5b6ea8", "SciPy": "#b08a2e"}
MARKERS = {OURS: "o", "torch": "s", "onnxruntime": "^", "SciPy": "D"}
GREY = "#666666"


def _panel(axes: Any, scores: Sequence[Score], operator: str, top: float) -> None:
    # the peers' lines often coincide: each is thinner than the one below it, so that all of them show
    for place, score in enumerate(reversed(scores)):
        sigmas = sorted(score.by_sigma)
        thinner = 1.2 * (len(scores) - 1 - place)
        axes.plot(
            sigmas,
            [min(score.by_sigma[sigma], top) for sigma in sigmas],
            color=COLOURS.get(score.library, GREY),
            marker=MARKERS.get(score.library, "v"),
            markersize=4 + thinner,
            linewidth=1.5 + thinner,
            label=score.library,
            zorder=3 + place,
        )
    bound = PROMISED[operator][DTYPE]
    axes.axhline(
        bound, color=COLOURS[OURS], linewidth=1, linestyle="--", zorder=2, label="promised by softops"
    )
    axes.set_title(f"{operator}, {DTYPE}", fontsize=10)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({sigma for score in scores for sigma in score.by_sigma})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.minorticks_off()
    axes.yaxis.minorticks_off()
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, length=0)
    axes.set_xlabel("standard deviation σ of the logits", fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save_accuracy_plot(scores: Sequence[Score], path: Path) -> None:
    """Draw the errors into `path`, whose ending names the format."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = {
        operator: [s for s in scores if (s.operator, s.dtype) == (operator, DTYPE) and s.by_sigma]
        for operator in OPERATORS
    }
    with rc_context({"svg.hashsalt": "softops", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(1, len(OPERATORS), sharey=True)
        for axes, (operator, rows) in zip(grid, chosen.items(), strict=True):
            _panel(axes, rows, operator, top=1e8)
        grid[0].set_ylabel("worst error, ULP", fontsize=8)
        grid[0].set_ylim(0.2, 1e8)
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(
            handles[-2::-1] + handles[-1:],
            labels[-2::-1] + labels[-1:],
            loc="outside upper center",
            ncols=5,
            frameon=False,
            fontsize=9,
        )
        save_figure(figure, path)
