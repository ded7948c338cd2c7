"""The report of the suite as JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ..verdicts.record import CaseRecord
from ..verdicts.suite_record import SuiteRecord
from .summary import KNOWN, cells, qualified, status_of, values_of

# XML 1.0 has no way to write these.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: SuiteRecord) -> str:
    """
    Return the report as JUnit XML: a suite for each operator, opset and dtype.

    ``wrong`` is a failure; ``crashed``, ``hung`` and ``harness failed`` are errors; ``unsupported`` and known
    deviations are skipped.
    """
    matrix = cells(report)
    root = ElementTree.Element("testsuites", name=_xml(report.heading))
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
    lines = [f"{check.name}: {check.message}" for check in record.checks if not check.passed]
    lines += [record.detail] if record.detail else []
    if record.worst is not None:
        lines += [f"{name:8} {decimal}  {hexa}" for name, decimal, hexa in values_of(record.worst)]
    return "\n".join(lines)


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
