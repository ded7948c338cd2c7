"""Cases spread over processes: the same records in the same order, and a process that dies takes none along."""

from dataclasses import replace

import pytest

from softops import conformance
from softops.conformance.cases.case import Case
from softops.conformance.suite import suite

ASKED = {"ops": ["Softmax", "ArgMax"], "opsets": [13], "families": ["gaussian-3", "ties"], "quick": True}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(suite, "WORTH_CASES", 1)


def test_several_processes_find_what_one_finds(few):
    told = []
    one, two = (
        conformance.run("onnx.reference", **ASKED, jobs=jobs, progress=lambda *now: told.append(now))
        for jobs in (1, 2)
    )
    assert [record.id for record in two.cases] == [record.id for record in one.cases]
    assert two.cases == one.cases
    assert two.compared == one.compared > 50
    count = len(one.cases)
    assert [now[:2] for now in told] == [(i + 1, count) for _ in range(2) for i in range(count)]


def test_bounds_and_time_limits_go_along(few):
    found = conformance.run("softops", **ASKED, jobs=2, bound="onnx", time_limit=60)
    assert found.passed
    one = conformance.run("softops", **ASKED, bound="onnx")
    assert [record.bound_ulp for record in found.cases] == [record.bound_ulp for record in one.cases]


def test_a_process_that_dies_takes_no_other_case_along(few):
    plain = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")
    parts = [
        plain,
        replace(plain, dtype="float64"),
        replace(plain, dtype="float16"),
        replace(plain, opset=11),
    ]
    listed = [replace(part, shape=(rows, 5)) for part in parts for rows in (3, 2, 4)]
    listed = [case for case in listed if case.shape[0] != 2 or case.dtype in ("float64", "float16")]
    found = suite.run_cases("backend:planted:DyingBackend", listed, jobs=2)
    assert [record.case for record in found.cases] == listed
    assert {record.outcome for record in found.cases if record.shape[0] != 2} == {"right"}
    dead = [record for record in found.cases if record.shape[0] == 2]
    assert [record.outcome for record in dead] == ["crashed", "crashed"]
    assert "code 9" in dead[0].message


def test_objects_and_few_cases_stay_in_this_process(monkeypatch):
    monkeypatch.setattr(suite, "examine_in_processes", lambda *_: pytest.fail("it started processes"))
    assert conformance.run("softops", **ASKED, jobs=2).passed


def test_by_itself_it_takes_the_processors_that_it_may_run_on(few, monkeypatch):
    asked = []
    monkeypatch.setattr(suite, "examine_in_processes", lambda *given: asked.append(given[-1]) or iter(()))
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    conformance.run("softops", **ASKED, jobs=0)
    monkeypatch.delattr("os.sched_getaffinity")  # it is Linux's
    conformance.run("softops", **ASKED, jobs=0)
    assert asked == [3, 7]


def test_a_number_of_processes_below_0():
    with pytest.raises(ValueError, match="processes of 1 or more, or 0"):
        conformance.run("softops", **ASKED, jobs=-1)
