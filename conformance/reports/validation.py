"""A validation report as a web page of its own, and as rows and pictures for others."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.ulp import NAN_DISTANCE
from ..models.report import Report
from .files import write_text
from .labels import fonts, label
from .page import DASH, environment

_COLOURS = {
    False: ("#2563eb", "#d97706", "#0d9488", "#9333ea"),
    True: ("#6ea8fe", "#fbbf24", "#2dd4bf", "#c084fc"),
}

_NAN_BIN = 66
"""Behind the bin of the largest distance, 2^64."""


_MEASURES = ("max_ulp", "mean_ulp", "max_rel", "row_sum_error", "argmax_agreement", "equal")


def report_table(report: Report) -> list[dict[str, Any]]:
    """
    Return what a table of the outputs shows, a row each.

    Keys: ``output``, ``dtype``, ``shape``, ``verdict`` (the worst of the steps that end in this output), then
    the end-to-end measures ``max_ulp``, ``mean_ulp``, ``max_rel``, ``row_sum_error``, ``argmax_agreement``,
    ``equal`` (None where one does not apply), and ``error_ulp``, the largest error of the output against the
    exact value for the runtime's own input, with ``bound_used``.
    """
    rows = []
    for name, output in report.outputs.items():
        steps = [step for step in report.steps if step.tensor == name]
        errors = [step.max_error_ulp for step in steps if step.max_error_ulp is not None]
        used = [step.bound_used for step in steps if step.bound_used is not None]
        rows.append(
            {
                "output": name,
                "dtype": output.dtype,
                "shape": output.shape,
                "verdict": _verdict(report, [step.verdict for step in steps]),
                **{measure: getattr(output, measure) for measure in _MEASURES},
                "error_ulp": max(errors, default=None),
                "bound_used": max(used, default=None),
            }
        )
    return rows


def _verdict(report: Report, verdicts: Sequence[str]) -> str:
    if not verdicts:
        return report.verdict
    return next((word for word in ("wrong", "cannot tell", "known") if word in verdicts), "right")


def ulp_histogram_png(report: Report, *, dark: bool = False) -> bytes:
    """
    Draw the distribution of the ULP distances and return it as a PNG with a transparent ground.

    For each float output two series: its distance from our backend's, end to end, and its error against
    the exact value for the runtime's own input, rounded to whole ULP.
    """
    # The Agg canvas by itself: pyplot would keep the figure and choose a backend for the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series = _series(report)
    ink = "#c8ccd4" if dark else "#3f4754"
    figure = Figure(figsize=(6.4, 3.9), dpi=150, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    finite = [places[places < _NAN_BIN] for _, places in series]
    # Whatever is NaN on one side only comes right behind the largest distance.
    last = max((int(places.max(initial=0)) for places in finite), default=0)
    names = [_bin_name(place) for place in range(last + 1)]
    if any((places == _NAN_BIN).any() for _, places in series):
        last, names = last + 1, [*names, "NaN"]
    wide = 0.84 / max(len(series), 1)
    for number, (name, places) in enumerate(series):
        shares = 100 * np.bincount(np.minimum(places, last), minlength=last + 1) / max(places.size, 1)
        colour = _COLOURS[dark][number % len(_COLOURS[dark])]
        across = np.arange(last + 1) + (number - (len(series) - 1) / 2) * wide
        axes.bar(across, shares, wide * 0.94, label=label(name), color=colour)
    axes.set_xticks(range(last + 1), names)
    axes.tick_params(colors=ink, labelsize=10)
    axes.tick_params("x", rotation=45 if last > 6 else 0)
    axes.set_xlabel("distance in ULP", color=ink)
    axes.set_ylabel("share of the elements, %", color=ink)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink)
    if series:
        # Above the bars, which may be high anywhere.
        legend = figure.legend(
            frameon=False, labelcolor=ink, prop={"size": 10, "family": fonts()}, loc="outside upper left"
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    else:
        axes.text(0.5, 0.5, "no floating-point output", color=ink, ha="center", transform=axes.transAxes)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def render_html(report: Report, *, title: str, sections: Sequence[tuple[str, str]] = ()) -> str:
    """
    Return a self-contained page: verdict, table, plot, steps, and ``sections`` of (heading, HTML).

    The headings are escaped; the HTML of the sections is taken as it is.
    """
    pictures = {
        name: base64.b64encode(ulp_histogram_png(report, dark=dark)).decode()
        for name, dark in (("light", False), ("dark", True))
    }
    page = environment().get_template("report.html")
    return page.render(
        report=report, title=title, sections=sections, rows=report_table(report), pictures=pictures
    )


def write_html(
    report: Report, path: str | os.PathLike[str], *, title: str, sections: Sequence[tuple[str, str]] = ()
) -> None:
    """Write `render_html` to ``path``, whole or not at all."""
    write_text(path, render_html(report, title=title, sections=sections))


def _series(report: Report) -> list[tuple[str, NDArray[np.int64]]]:
    series = []
    for name, output in report.outputs.items():
        if output.ulps.size:
            series.append((f"{name}: {report.runtime} against softops", _bins(output.ulps)))
        series.extend(
            (f"{name}: its {step.operator} against the exact value", _bins(np.rint(step.errors_ulp)))
            for step in report.steps
            if step.tensor == name and step.errors_ulp.size
        )
    return series


def _bins(ulps: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bin of each distance: 0, 1, 2, 3–4, 5–8 and so on by powers of two, and last NaN."""
    wide = ulps.astype(np.float64)
    apart = ~np.isfinite(wide) | (ulps == NAN_DISTANCE)
    bins = np.where(apart | (wide < 1), 0, np.ceil(np.log2(np.where(apart, 1, np.maximum(wide, 1)))) + 1)
    return np.where(apart, _NAN_BIN, bins).astype(np.int64).ravel()


def _bin_name(place: int) -> str:
    if place <= 2:
        return str(place)
    high = 2 ** (place - 1)
    return f"{high // 2 + 1}{DASH}{high}" if high <= 2**10 else f"≤2^{place - 1}"
