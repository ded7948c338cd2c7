"""The report as Markdown and as JUnit XML."""

import re
from xml.etree import ElementTree

from findings import CAUSES, findings, record, wrong

from softops.conformance.reports.suite_junit import render_junit
from softops.conformance.reports.suite_markdown import render_markdown
from softops.conformance.reports.summary import STATUSES
from softops.conformance.verdicts.record import Check


def test_markdown_has_the_verdict_the_matrix_and_every_kind():
    text = render_markdown(findings(notes=("changed since",), vanished=("it was flushed",)))
    assert "**Not passed**: 2 wrong, 1 crashed, 1 hung, 1 harness failed (1 known); 9 cases" in text
    signs = [STATUSES[status][0] for status in ("unsupported", "right", "wrong", "known")]
    assert "| Softmax | 13 | {0} 1 | {1} 1 | {2} 2 {1} 1 | {3} 1 |".format(*signs) in text
    assert "- it was flushed" in text
    assert "Note: changed since." in text
    assert text.count("\n### ") == 5
    for number in ("3.33333333333333333333e-1", "0x1.555556p-2", "0x1p-2"):
        assert f"`{number}`" in text
    assert "Known: https://example.org/7" in text
    assert "<b>" not in text.replace("\\<b\\>", "")


def test_tables_of_markdown_are_whole():
    lines = [line for line in render_markdown(findings()).splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    for above, below, line in zip(widths, widths[1:], lines[1:], strict=False):
        assert above == below or not line.startswith("| ---"), line


def test_a_report_that_passes_says_so():
    assert "**Passed**: all right;" in render_markdown(findings(cases=(record("right"),)))
    listed = (record("right"), wrong(known="https://example.org/7"))
    assert "**Passed**: no new deviations (1 known);" in render_markdown(findings(cases=listed))


def test_causes_stand_before_the_matrix_new_ones_first():
    text = render_markdown(findings(causes=CAUSES))
    new, known, matrix = (text.index(part) for part in ("as if half", "as if known", "## Operators"))
    assert new < known < matrix
    assert "- **Softmax-13 in float32** (2 wrong): as if half of it were missing. Explains 2 of 2." in text


def test_junit_tells_failures_errors_and_skips_apart():
    root = ElementTree.fromstring(render_junit(findings()))
    assert (root.tag, root.get("name")) == ("testsuites", "a<b 1&2")
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "9",
        "failures": "2",
        "errors": "3",
        "skipped": "2",
    }
    cases = root.findall("testsuite/testcase")
    assert len(cases) == 9
    failure = root.find(".//failure")
    assert failure.get("type") == "wrong: ulp"
    assert "</script>" in failure.get("message")
    assert "0x1.555556p-2" in failure.text
    assert next(root.iter("skipped")).get("message").startswith("known deviation, https://example.org/7")
    for suite in root.findall("testsuite"):
        assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_junit_tells_the_checks_that_fail_and_no_others():
    checks = (Check(name="row sum", passed=True), Check(name="ulp", passed=False, message="far off"))
    root = ElementTree.fromstring(render_junit(findings(cases=(wrong(checks=checks),))))
    lines = root.find(".//failure").text.splitlines()
    assert lines[0] == "ulp: far off"
    assert not any("row sum" in line for line in lines)


def test_an_empty_comparison_is_an_error():
    for cases in ((), (record("unsupported"),)):
        root = ElementTree.fromstring(render_junit(findings(cases=cases)))
        assert root.get("errors") == "1"
        assert root.find(".//error").get("message") == "nothing was compared, so nothing has passed"
