"""A validation report as a web page of its own, and as rows and pictures for others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..measure.ulp import NAN_DISTANCE
from ..models.report import Report
from .files import write_text
from .page import DASH, environment
from .plots import bars

if TYPE_CHECKING:
    from markupsafe import Markup

_NAN_BIN = 66
"""Behind the bin of the largest distance, 2^64."""

_AGAINST = {"exact value": "the exact value", "noise": "a run in float64", "rtol": "a run in float64"}
"""What the error of a step is measured against, by the rule that judges it."""

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


def histograms(report: Report) -> list[Markup]:
    """
    Draw the distribution of the ULP distances, a picture for each output of floats.

    In each the output's distance from our backend's, end to end, and the error of the steps that make it, rounded to
    whole ULP.
    """
    pictures = []
    for name, output in report.outputs.items():
        series = [(f"{report.runtime} against softops", _bins(output.ulps))] if output.ulps.size else []
        series += [
            (
                f"its {step.operator} against {_AGAINST.get(step.rule, step.rule)}",
                _bins(np.rint(step.errors_ulp)),
            )
            for step in report.steps
            if step.tensor == name and step.errors_ulp.size
        ]
        if series:
            pictures.append(_histogram(name, series))
    return pictures


def _histogram(name: str, series: Sequence[tuple[str, NDArray[np.int64]]]) -> Markup:
    last = max(int(bins[bins < _NAN_BIN].max(initial=0)) for _, bins in series)
    names = [_bin_name(place) for place in range(last + 1)]
    # Whatever is NaN on one side only comes right behind the largest distance.
    if any((bins == _NAN_BIN).any() for _, bins in series):
        last, names = last + 1, [*names, "NaN"]
    shares = [
        (text, (100 * np.bincount(np.minimum(bins, last), minlength=last + 1) / bins.size).tolist())
        for text, bins in series
    ]
    return bars(f"{name}: share of the elements, %", names, shares, "distance in ULP")


def render_html(report: Report, *, title: str, sections: Sequence[tuple[str, str]] = ()) -> str:
    """
    Return a self-contained page: ``sections`` of (heading, HTML), then verdict, table, plots and steps.

    The headings are escaped; the HTML of the sections is taken as it is.
    """
    page = environment().get_template("report.html")
    return page.render(
        report=report, title=title, sections=sections, rows=report_table(report), pictures=histograms(report)
    )


def write_html(
    report: Report, path: str | os.PathLike[str], *, title: str, sections: Sequence[tuple[str, str]] = ()
) -> None:
    """Write `render_html` to ``path``, whole or not at all."""
    write_text(path, render_html(report, title=title, sections=sections))


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
