"""The report of the suite as Markdown and as JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ..suite.report import SuiteReport
from ..verdicts.case_record import CaseRecord
from .summary import (
    KNOWN,
    STATUSES,
    Cell,
    cells,
    columns,
    counted,
    exact_hexadecimal,
    hexadecimal,
    kinds,
    qualified,
    shown,
    status_of,
    tolerances,
)

# XML 1.0 has no way to write these.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_markdown(report: SuiteReport) -> str:
    """Return the report in Markdown: verdict, counts, matrix, kinds of failures."""
    parts = [
        f"# {report.runtime} {report.runtime_version}: conformance of the softmax family",
        f"**{'Passed' if report.passed else 'Not passed'}**: {len(report.cases):,} cases, {report.compared:,} "
        f"compared, {report.bound} bounds, softops {report.softops_version}.",
    ]
    counts = counted(report.cases)
    parts.append(
        _table(
            ["", "status", "cases", "meaning"],
            [[STATUSES[s][0], s, f"{n:,}", STATUSES[s][1]] for s, n in counts.items()],
        )
    )
    parts += [f"Note: {_plain(note)}." for note in report.notes]
    if report.vanished:
        parts += [
            "## Deviations that have vanished",
            "\n".join(f"- {_plain(text)}" for text in report.vanished),
        ]
    parts += ["## Operators, versions and dtypes", _matrix(cells(report))]
    failures = kinds(report)
    if failures:
        parts.append("## Kinds of failures")
    for kind in failures:
        first = kind.smallest
        known = f" Known: {first.known}." if first.known else ""
        told = f"{_plain(first.message.rstrip('.'))}. {tolerances(first)}".strip()
        parts += [
            f"### {STATUSES[status_of(first)][0]} {_plain(kind.title)}",
            f"{told}\n\n{len(kind.records):,} cases, the smallest `{first.id}`.{known} "
            f"Reproduction: [reproductions/{kind.slug}](reproductions/{kind.slug}/ISSUE.md)",
        ]
        if first.worst is not None:
            parts.append(worst_table(first))
    return "\n\n".join(parts) + "\n"


def worst_table(record: CaseRecord) -> str:
    """Return a Markdown table of a record's worst element: exact, expected, actual, in decimal and hex."""
    worst = record.worst
    assert worst is not None
    rows = [
        ["exact", worst.exact, exact_hexadecimal(worst.exact)],
        ["expected", shown(worst.expected), hexadecimal(worst.expected)],
        ["actual", shown(worst.actual), hexadecimal(worst.actual)],
    ]
    place = f"{worst.output}[{', '.join(map(str, worst.index))}]"
    return _table(
        [place, "decimal", "hexadecimal"], [[name, *(f"`{x}`" for x in rest)] for name, *rest in rows]
    )


def render_junit(report: SuiteReport) -> str:
    """
    Return the report as JUnit XML: a suite for each operator, opset and dtype.

    ``wrong`` is a failure; ``crashed``, ``hung`` and ``harness failed`` are errors; ``unsupported`` and known
    deviations are skipped.
    """
    matrix = cells(report)
    root = ElementTree.Element("testsuites", name=f"{report.runtime} {report.runtime_version}")
    for cell in matrix:
        name = f"{qualified(cell.domain, cell.op)}-{cell.opset}.{cell.dtype}"
        kinds_of = [_element(record) for record in cell.records]
        suite = ElementTree.SubElement(root, "testsuite", {"name": name} | _counts(kinds_of))
        for record, kind in zip(cell.records, kinds_of, strict=True):
            case = ElementTree.SubElement(suite, "testcase", name=_xml(record.id), classname=name)
            if kind:
                why = f"known deviation, {record.known}: " if kind == "skipped" and record.known else ""
                label = f"{record.outcome}: {record.verdict}" if record.verdict else record.outcome
                attributes = {"message": _xml(why + (record.message or label))}
                if kind != "skipped":
                    attributes["type"] = label
                told = ElementTree.SubElement(case, kind, attributes)
                told.text = _xml(_details(record)) or None
    if not matrix or not report.compared:
        suite = ElementTree.SubElement(root, "testsuite", {"name": "softops"} | _counts(["error"]))
        case = ElementTree.SubElement(suite, "testcase", name="something is compared", classname="softops")
        ElementTree.SubElement(case, "error", message="nothing was compared, so nothing has passed")
    every = [kind for cell in matrix for kind in map(_element, cell.records)]
    every += [] if matrix and report.compared else ["error"]
    root.attrib.update(_counts(every) | {"time": f"{report.seconds:.3f}"})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _element(record: CaseRecord) -> str:
    status = status_of(record)
    return {"right": "", "wrong": "failure", "unsupported": "skipped", KNOWN: "skipped"}.get(status, "error")


def _counts(elements: list[str]) -> dict[str, str]:
    number = {"tests": len(elements), "failures": elements.count("failure")}
    number |= {"errors": elements.count("error"), "skipped": elements.count("skipped")}
    return {name: str(count) for name, count in number.items()}


def _details(record: CaseRecord) -> str:
    failed = [f"{check.name}: {check.message}" for check in record.checks if not check.passed]
    worst = record.worst
    if worst is not None:
        failed.append(f"exact    {worst.exact}  {exact_hexadecimal(worst.exact)}")
        failed.append(f"expected {shown(worst.expected)}  {hexadecimal(worst.expected)}")
        failed.append(f"actual   {shown(worst.actual)}  {hexadecimal(worst.actual)}")
    return "\n".join(failed)


def _matrix(matrix: list[Cell]) -> str:
    dtypes = columns(matrix)
    rows: dict[tuple[str, int], dict[str, str]] = {}
    for cell in matrix:
        text = f"{STATUSES[cell.status][0]} {cell.counts[cell.status]}"
        rows.setdefault((qualified(cell.domain, cell.op), cell.opset), {})[cell.dtype] = text
    lines = [[op, str(opset), *(row.get(name, "") for name in dtypes)] for (op, opset), row in rows.items()]
    return _table(["operator", "opset", *dtypes], lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Keep a runtime's words from being read as Markdown or HTML."""
    return re.sub(r"([\\`*_<>\[\]#|])", r"\\\1", " ".join(text.split()))


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
