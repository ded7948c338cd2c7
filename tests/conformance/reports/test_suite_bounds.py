"""The table of bounds: which of them an operator keeps, with the dtypes that do not."""

import re

from findings import case, findings, record, wrong

from softops.conformance.reports.suite_html import render_html
from softops.conformance.reports.suite_markdown import render_markdown
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.promises import promised
from softops.conformance.verdicts.rules import BOUNDS

EXACT_ALONE, ALL = (("exact", ("ulp",)),), tuple((bound, ("shape",)) for bound in BOUNDS)
CASES = (
    record("right"),
    record("right", beyond=EXACT_ALONE),
    record("right", case(dtype="float16"), beyond=EXACT_ALONE),
    wrong(case(op="Hardmax", dtype="float64"), beyond=ALL, known="https://example.org/7"),
    record("right", case(op="Hardmax")),
    record("crashed", case(op="Sigmoid")),
    record("right", case(op="LogSoftmax")),
)
KEPT, BROKEN, NOTHING = "\N{CHECK MARK}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
EXPECTED = {
    "Softmax": [f"{BROKEN} 2 of 3: float16, float32", KEPT, KEPT, KEPT, promised("Softmax")],
    "Hardmax": [f"{BROKEN} 1 of 2: float64"] * 4 + [NOTHING],
    "Sigmoid": [NOTHING] * 4 + [promised("Sigmoid")],
    "LogSoftmax": [KEPT] * 4 + [promised("LogSoftmax")],
}


def report():
    return SuiteReport.from_json(findings(cases=CASES, bounds=BOUNDS).to_json())


def test_markdown_says_which_bounds_each_operator_keeps():
    section = render_markdown(report()).split("\n## Bounds\n")[1].split("\n## ")[0]
    head, _, *lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    assert head == ["operator", *BOUNDS, "softops promises"]
    assert {name: cells for name, *cells in lines} == EXPECTED


def test_the_page_says_the_same():
    section = render_html(report()).split('<h2 id="bounds">')[1].split("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', section)
    told = {re.sub(r"<wbr>|\u200b", "", name): re.findall(r"<td>(.*?)</td>", cells) for name, cells in rows}
    assert told == EXPECTED


def test_a_report_that_was_judged_by_one_bound_has_no_such_table():
    assert "## Bounds" not in render_markdown(findings())
    assert 'id="bounds"' not in render_html(findings())
