"""What every form of a suite's report shows: statuses, the matrix, kinds of failures, histograms, digits."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..measure.numbers import exact_hexadecimal, hexadecimal, shown
from ..verdicts.record import CaseRecord, Worst
from ..verdicts.suite_record import SuiteRecord
from .page import DASH, number, percent

KNOWN = "known"

_NOTHING = 1e-6
"""Of a ULP: who may be off by no more is to be exact."""

STATUSES: dict[str, tuple[str, str]] = {
    "harness failed": ("?", "the suite itself could not judge"),
    "crashed": ("!", "the runtime raised an error or died"),
    "hung": ("\N{HORIZONTAL ELLIPSIS}", "the runtime was stopped at the time limit"),
    "wrong": ("\N{MULTIPLICATION SIGN}", "an output breaks a bound or another check"),
    KNOWN: ("\N{ALMOST EQUAL TO}", "wrong, and on the list of known deviations"),
    "right": ("\N{CHECK MARK}", "every check passed"),
    "unsupported": (DASH, "the runtime says that it does not support it"),
}
"""Sign and meaning of each status, the gravest first: the outcomes, and ``known`` for a known deviation."""

_GRAVITY = {status: place for place, status in enumerate(STATUSES)}


class _OfCases:
    """What a group of cases comes to."""

    records: tuple[CaseRecord, ...]

    @property
    def status(self) -> str:
        """The gravest of its cases."""
        return gravest(self.records)

    @property
    def counts(self) -> dict[str, int]:
        """Number of cases by status, the gravest first, without zeros."""
        return counted(self.records)


@dataclass(frozen=True)
class Cell(_OfCases):
    """The cases of one operator at one opset in one dtype."""

    domain: str
    op: str
    opset: int
    dtype: str
    records: tuple[CaseRecord, ...]


@dataclass(frozen=True)
class Chip(_OfCases):
    """The cases of one operator at one opset, in the dtypes whose cases have the same statuses."""

    slug: str
    name: str
    opset: int
    dtypes: tuple[str, ...]
    records: tuple[CaseRecord, ...]
    whole: bool


@dataclass(frozen=True)
class Row:
    """A row of the matrix: an operator, and for each opset what its dtypes have in common."""

    name: str
    versions: dict[int, tuple[Chip, ...]]


@dataclass(frozen=True)
class Matrix:
    """The rows of operators, and the cases of those that are unsupported throughout."""

    rows: tuple[Row, ...]
    unsupported: dict[str, tuple[CaseRecord, ...]]


@dataclass(frozen=True)
class Kind:
    """Failures that look alike: one operator, dtype, outcome, verdict and status; the smallest case first."""

    slug: str
    records: tuple[CaseRecord, ...]

    @property
    def smallest(self) -> CaseRecord:
        """The case to look at first."""
        return self.records[0]

    @property
    def title(self) -> str:
        """Such as ``Softmax in float32: wrong (ulp)``."""
        first = self.smallest
        verdict = f" ({first.verdict})" if first.verdict else ""
        return f"{qualified(first.domain, first.op)} in {first.dtype}: {first.outcome}{verdict}"

    def spread(self) -> dict[str, list[str]]:
        """Return where it was seen: the opsets, axes, families and so on of its cases."""
        names = ("opset", "axis", "family", "variant", "form", "setting")
        found = {
            name: sorted({_text(getattr(r, name)) for r in self.records}, key=_natural) for name in names
        }
        return {name: values for name, values in found.items() if values != [""]}


def status_of(record: CaseRecord) -> str:
    """Return a name of `STATUSES`."""
    return record.outcome if record.known is None or record.outcome == "right" else KNOWN


def gravest(records: Iterable[CaseRecord]) -> str:
    """Return the gravest status of some cases, of which there is one."""
    return min(map(status_of, records), key=_GRAVITY.__getitem__)


def counted(records: Iterable[CaseRecord]) -> dict[str, int]:
    """Count the statuses, the gravest first, without zeros."""
    number = Counter(map(status_of, records))
    return {status: number[status] for status in STATUSES if number[status]}


def cells(report: SuiteRecord) -> list[Cell]:
    """Return the matrix, in the order in which the cases were run."""
    found: dict[tuple[str, str, int, str], list[CaseRecord]] = {}
    for record in report.cases:
        found.setdefault((record.domain, record.op, record.opset, record.dtype), []).append(record)
    return [Cell(*place, tuple(records)) for place, records in found.items()]


def rows(matrix: Iterable[Cell]) -> list[tuple[str, int, dict[str, tuple[int, Cell]]]]:
    """Return the rows of a matrix: the operator, the opset, and by dtype the cell with its place in the matrix."""
    found: dict[tuple[str, int], dict[str, tuple[int, Cell]]] = {}
    for place, cell in enumerate(matrix):
        found.setdefault((qualified(cell.domain, cell.op), cell.opset), {})[cell.dtype] = (place, cell)
    return [(*key, row) for key, row in found.items()]


def matrix_of(report: SuiteRecord) -> Matrix:
    """Return the matrix with a row for each operator."""
    found: dict[str, dict[int, list[Cell]]] = {}
    for cell in cells(report):
        found.setdefault(qualified(cell.domain, cell.op), {}).setdefault(cell.opset, []).append(cell)
    rows, unsupported = [], {}
    for name, versions in found.items():
        records = tuple(record for group in versions.values() for cell in group for record in cell.records)
        if counted(records).keys() == {"unsupported"}:
            unsupported[name] = records
        else:
            rows.append(Row(name, {opset: _chips(name, opset, group) for opset, group in versions.items()}))
    return Matrix(tuple(rows), unsupported)


def _chips(name: str, opset: int, group: list[Cell]) -> tuple[Chip, ...]:
    alike: dict[tuple[str, ...], list[Cell]] = {}
    for cell in group:
        # A case that is not supported beside others that are makes no difference.
        told = tuple(cell.counts.keys() - {"unsupported"}) or ("unsupported",)
        alike.setdefault(tuple(sorted(told)), []).append(cell)
    return tuple(
        Chip(
            f"cell-{name}-{opset}-{place}",
            name,
            opset,
            tuple(columns(same)),
            tuple(record for cell in same for record in cell.records),
            len(alike) == 1,
        )
        for place, same in enumerate(alike.values())
    )


def columns(matrix: Iterable[Cell]) -> list[str]:
    """Return the dtypes of a matrix: floats first, then by name."""
    # bfloat16 is a float too, and floats come before integers.
    return sorted({cell.dtype for cell in matrix}, key=lambda name: ("float" not in name, _natural(name)))


def kinds(report: SuiteRecord) -> list[Kind]:
    """Return every kind of failure, the gravest first; unsupported is none."""
    found: dict[tuple[str, ...], list[CaseRecord]] = {}
    for record in report.cases:
        status = status_of(record)
        if record.outcome in ("right", "unsupported"):
            continue
        parts = (qualified(record.domain, record.op), record.dtype, record.outcome, record.verdict)
        found.setdefault((status, *parts, record.known or ""), []).append(record)
    taken: Counter[str] = Counter()
    result = []
    for key in sorted(found, key=lambda key: _GRAVITY[key[0]]):
        slug = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(part for part in key[1:5] if part)).strip("-").lower()
        taken[slug] += 1
        name = slug if taken[slug] == 1 else f"{slug}-{taken[slug]}"
        result.append(Kind(name, tuple(sorted(found[key], key=_simplicity))))
    return result


def histograms(report: SuiteRecord) -> dict[tuple[str, str], dict[float, int]]:
    """Add up the ULP histograms: for each (operator, dtype) the number of elements by upper edge."""
    found: dict[tuple[str, str], Counter[float]] = {}
    for record in report.cases:
        if record.ulp_histogram:
            place = (qualified(record.domain, record.op), record.dtype)
            found.setdefault(place, Counter()).update(dict(record.ulp_histogram))
    return {place: dict(sorted(counts.items())) for place, counts in found.items()}


def qualified(domain: str, op: str) -> str:
    """Return the name of an operator with its domain, where that is not ai.onnx."""
    return f"{domain}.{op}" if domain else op


def tolerances(record: CaseRecord) -> str:
    """Say which usual tolerances would have hidden that an element is beyond its bound; empty where none is."""
    if record.smallest_atol is None or record.bound_used is None or record.bound_used <= 1:
        return ""
    if not math.isfinite(record.smallest_atol):
        return "No tolerance would have hidden it."
    text = f"It would have passed with an absolute tolerance of {number(record.smallest_atol)}"
    if record.smallest_rtol is not None and math.isfinite(record.smallest_rtol):
        text += f", or a relative one of {number(record.smallest_rtol)}"
    if record.decided_by_atol:
        text += (
            f"; {percent(record.decided_by_atol)} of its elements are below 1e-5, where an absolute tolerance "
            "of that size decides alone"
        )
    return f"{text}."


def distance(worst: Worst) -> str:
    """Say how far the worst element is off, and may be; empty where that is not told in ULP."""
    if worst.error_ulp is None:
        return ""
    if not math.isfinite(worst.error_ulp):
        return "a NaN or an infinity on one side alone"
    if worst.bound_ulp is None:
        return f"{number(worst.error_ulp)} ULP away"
    # Less than a ULP is allowed of what is exact: an infinity, a 0.
    allowed = number(worst.bound_ulp) if worst.bound_ulp > _NOTHING else "nothing"
    return f"{number(worst.error_ulp)} ULP away, {allowed} allowed"


def place_of(worst: Worst) -> str:
    """Write which element it is, such as ``output[0, 1]``."""
    return f"{worst.output}[{', '.join(map(str, worst.index))}]"


def values_of(worst: Worst) -> list[tuple[str, str, str]]:
    """Return what is compared: the name, the value in decimal and in hexadecimal."""
    return [
        ("exact", worst.exact, exact_hexadecimal(worst.exact)),
        ("expected", shown(worst.expected), hexadecimal(worst.expected)),
        ("actual", shown(worst.actual), hexadecimal(worst.actual)),
    ]


def _simplicity(record: CaseRecord) -> tuple[object, ...]:
    size = math.prod(record.shape)
    # An empty array shows the least.
    return (
        record.form != "plain",
        record.setting != "",
        record.worst is None,
        size == 0,
        size,
        -record.opset,
    )


def _text(value: object) -> str:
    return "default" if value is None else str(value)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", text)
    ]
