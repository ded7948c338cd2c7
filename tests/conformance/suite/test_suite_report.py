"""The record of a case and the report of the suite: what passes, and the way through JSON and back."""

import dataclasses
import json
import math

import pytest

from softops.conformance.cases.case import Case
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.record import OUTCOMES, CaseRecord, Check, Worst

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(2, 3), family="gaussian-3")
WRONG = CaseRecord(
    case=CASE,
    outcome="wrong",
    verdict="ulp",
    message="y[0, 1]: ...",
    checks=(
        Check(name="ulp", passed=False, measured=math.inf, bound=1.0, message="..."),
        Check(name="row sum", passed=True),
    ),
    max_ulp=math.inf,
    mean_ulp=0.25,
    ulp_histogram=((0.5, 5), (math.inf, 1)),
    worst=Worst(
        output="y",
        index=(0, 1),
        dtype="float32",
        exact="0.33333333333333333333",
        expected=0.3333333432674408,
        actual=math.nan,
        error_ulp=math.inf,
        bound_ulp=9.5,
    ),
    order_violations=0,
)


def report(*cases, **more):
    return SuiteReport(runtime="r", runtime_version="1", softops_version="0", cases=cases, **more)


def record(outcome, **more):
    return CaseRecord(case=CASE, outcome=outcome, elements=6, **more)


def test_a_right_case_passes():
    assert report(record("right")).passed


def test_an_empty_comparison_never_passes():
    assert not report().passed
    assert not report(record("unsupported"), record("unsupported")).passed
    assert not report(CaseRecord(case=CASE, outcome="right")).passed


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_keeps_a_report_from_passing(outcome):
    found = report(record("right"), record(outcome))
    assert found.passed == (outcome in ("right", "unsupported"))
    assert found.counts[outcome] == (2 if outcome == "right" else 1)
    # What is known does not, but it is not counted as right either.
    listed = report(record("right"), record(outcome, known="not reported yet"))
    assert listed.passed
    assert listed.counts == found.counts


def test_json_and_back():
    found = report(
        WRONG, record("right"), vanished=("...",), notes=("...",), seconds=1.5, command={"seed": 0}
    )
    text = found.to_json()
    assert json.loads(text)["schema"] == 1
    assert "NaN" not in text
    again = SuiteReport.from_json(text)
    assert math.isnan(again.cases[0].worst.actual)
    # NaN is not equal to itself.
    worst = dataclasses.replace(again.cases[0].worst, actual=0.0)
    first = dataclasses.replace(again.cases[0], worst=worst)
    expected = dataclasses.replace(WRONG, worst=dataclasses.replace(WRONG.worst, actual=0.0))
    assert dataclasses.replace(again, cases=(first, again.cases[1])) == dataclasses.replace(
        found, cases=(expected, found.cases[1])
    )


def of_another_kind(**changes):
    given = json.loads(report(WRONG).to_json())
    given["cases"][0] |= changes
    return json.dumps(given)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 99}',
        '{"schema": 1, "cases": [{}]}',
        *(
            of_another_kind(**changes)
            for changes in (
                {"outcome": "odd"},
                {"shape": 5},
                {"max_ulp": "odd"},
                {"checks": [5]},
                {"ulp_histogram": [[0.5, math.inf]]},
            )
        ),
    ],
)
def test_what_is_no_report_is_refused(text):
    with pytest.raises(ValueError, match="expected a conformance report of schema 1"):
        SuiteReport.from_json(text)


def test_what_a_report_need_not_say():
    plain = SuiteReport(runtime="abacus", runtime_version="1", softops_version="0", cases=(record("right"),))
    assert (plain.seconds, plain.bound, plain.notes, plain.vanished) == (0, "strict", (), ())
    assert SuiteReport.from_json(plain.to_json()) == plain


def test_ids_tell_cases_apart():
    assert WRONG.id == "Softmax-13/float32/axis=1/2x3/gaussian-3/plain"
    others = [
        dataclasses.replace(CASE, **{name: value})
        for name, value in {
            "domain": "com.microsoft",
            "opset": 12,
            "axis": None,
            "shape": (),
            "variant": "keepdims=0",
            "form": "chained",
            "setting": "level=basic",
        }.items()
    ]
    assert len({CASE.id, *(case.id for case in others)}) == 8


def test_the_files_of_a_report(tmp_path):
    report(record("right")).write(tmp_path / "deep" / "er")
    text = (tmp_path / "deep" / "er" / "report.json").read_text("utf-8")
    assert SuiteReport.from_json(text).passed
