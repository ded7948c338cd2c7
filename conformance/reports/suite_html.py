"""The report of the suite as one web page that stands alone: no scripts, styles or pictures from elsewhere."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..verdicts.record import CaseRecord
from ..verdicts.suite_record import SuiteRecord
from . import summary
from .page import DASH, digits, environment, number, percent
from .suite_bounds import LEGEND, bounds_by_operator
from .summary import STATUSES, qualified, status_of

_SHORT = {"float": "f", "bfloat": "bf", "uint": "u", "int": "i"}
_SHOWN_CAUSES = 5
"""As many stand above the matrix; the others open."""
_BAR = 9
_HEIGHT = 60
_FINE = 10
_LAST = 26
"""Place of infinite errors, behind that of 2^64 ULP and more."""
_INFINITE = "\N{INFINITY}"
_TICKS = ((0.5, "½"), (4.0, "4"), (64.0, "64"), (1024.0, "1024"), (2.0**30, "2^30"), (math.inf, _INFINITE))


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: its place and size in the picture, and what it stands for."""

    x: int
    height: float
    count: int
    label: str
    infinite: bool


def render_html(report: SuiteRecord) -> str:
    """
    Return the page: verdict, matrix, kinds of failures with their worst elements, and histograms.

    The cases stand in it as JSON; a script of the page's own makes their tables when a cell is opened, and
    hides what the reader has no wish to see.
    """
    matrix, failures = summary.matrix_of(report), summary.kinds(report)
    chips = [chip for row in matrix.rows for group in row.versions.values() for chip in group]
    pool = _Pool()
    index = {id(record): place for place, record in enumerate(report.cases)}
    cases = [pool.row(record) for record in report.cases]
    data = {
        "columns": [name for name, _ in _COLUMNS],
        "texts": list(pool.texts),
        "cases": cases,
        "groups": {
            **{chip.slug: [index[id(r)] for r in chip.records] for chip in chips},
            "unsupported": [index[id(r)] for records in matrix.unsupported.values() for r in records],
            **{f"kind-{kind.slug}": [index[id(r)] for r in kind.records] for kind in failures},
        },
        "signs": {status: sign for status, (sign, _) in STATUSES.items()},
    }
    made = environment()
    made.filters["short"] = _short
    page = made.get_template("suite.html")
    return page.render(
        report=report,
        statuses=STATUSES,
        counts=summary.counted(report.cases),
        matrix=matrix,
        SHOWN=_SHOWN_CAUSES,
        new=[cause for cause in report.causes if cause.new],
        known=[cause for cause in report.causes if not cause.new],
        slugs={record.id: kind.slug for kind in failures for record in kind.records},
        kinds=failures,
        bounds=bounds_by_operator(report),
        legend=LEGEND,
        status_of=status_of,
        counted=summary.counted,
        values_of=summary.values_of,
        distance=summary.distance,
        tolerances=summary.tolerances,
        histograms={place: _bars(counts) for place, counts in summary.histograms(report).items()},
        script=files("softops.conformance").joinpath("templates", "suite.js").read_text("utf-8"),
        # Nothing in the data may end the element that holds it.
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )


class _Pool:
    """Texts by number, each kept once: thousands of cases say the same few things."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def row(self, record: CaseRecord) -> list[int]:
        return [self.texts.setdefault(write(record), len(self.texts)) for _, write in _COLUMNS]


def _graph(record: CaseRecord) -> str:
    return ", ".join(part for part in (record.variant, record.form, record.setting) if part)


def _several(*figures: float | None) -> str:
    """Write figures that are there or missing together."""
    return DASH if figures[0] is None else ", ".join(map(number, figures))


def _worst(record: CaseRecord) -> str:
    if record.worst is None or status_of(record) == "right":
        return ""
    values = "; ".join(
        " ".join((name, decimal, "=", hexa)) for name, decimal, hexa in summary.values_of(record.worst)
    )
    return f"{summary.place_of(record.worst)}: {values}"


_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("outcome", status_of),
    ("operator", lambda r: f"{qualified(r.domain, r.op)}-{r.opset} {r.dtype}"),
    ("shape", lambda r: " \N{MULTIPLICATION SIGN} ".join(map(str, r.shape)) or "scalar"),
    ("axis", lambda r: DASH if r.axis is None else str(r.axis)),
    ("inputs", lambda r: r.family),
    ("graph", _graph),
    ("ULP: worst, p99, mean", lambda r: _several(r.max_ulp, r.p99_ulp, r.mean_ulp)),
    ("bound used", lambda r: percent(r.bound_used) if r.bound_used != math.inf else _INFINITE),
    ("rtol, atol to pass", lambda r: _several(r.smallest_rtol, r.smallest_atol)),
    ("below 1e-5", lambda r: percent(r.decided_by_atol)),
    ("why", lambda r: r.message),
    ("worst element", _worst),
)


def _short(dtype: str) -> str:
    name = dtype.rstrip("0123456789")
    return f"{_SHORT.get(name, name)}{dtype[len(name) :]}"


def _bars(counts: dict[float, int]) -> dict[str, Any]:
    """Lay out a histogram: the height goes with the logarithm, so that one element of a million is seen."""
    binned = Counter[int]()
    for edge, count in counts.items():
        binned[_bin(edge)] += count
    scale = _HEIGHT / math.log10(1 + max(binned.values()))
    bars = [
        Bar(place * _BAR, math.log10(1 + count) * scale, count, _label(place), place == _LAST)
        for place, count in sorted(binned.items())
    ]
    total = sum(counts.values())
    half = percent(binned[0] / total)
    return {
        "bars": bars,
        "width": (_LAST + 1) * _BAR,
        "ticks": [(_bin(edge) * _BAR, text) for edge, text in _TICKS],
        "total": total,
        "summary": f"{half} within half a ULP, worst {bars[-1].label}",
    }


def _bin(edge: float) -> int:
    """Return the place of an upper edge: by powers of 2 up to 1024 ULP, by powers of 16 behind."""
    if edge == math.inf:
        return _LAST
    exponent = math.ceil(math.log2(edge))
    return exponent + 1 if exponent <= _FINE else _FINE + 1 + math.ceil((exponent - _FINE) / 4)


def _label(place: int) -> str:
    if place == _LAST:
        return "infinite or NaN"
    exponent = place - 1 if place <= _FINE + 1 else _FINE + 4 * (place - _FINE - 1)
    return f"up to {digits(2.0**exponent)} ULP" if exponent <= _FINE else f"up to 2^{exponent} ULP"
