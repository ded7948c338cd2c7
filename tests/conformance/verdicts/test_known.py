"""Known deviations: they let a report pass, one that has vanished is told, and other versions show what changed."""

import dataclasses
import json
from fnmatch import fnmatchcase
from importlib.resources import files

import numpy as np
import pytest
from planted import Planted, after

from softops import conformance
from softops.conformance.cases.case import Case
from softops.conformance.cases.grid import cases
from softops.conformance.verdicts import known as module
from softops.conformance.verdicts.known import Deviation, Known, known_deviations, marked
from softops.conformance.verdicts.record import OUTCOMES
from softops.conformance.verdicts.rules import BOUNDS
from softops.conformance.verdicts.verdicts import VERDICTS

SMALL = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "quick": True}
FLUSHES = Planted(Softmax=after(lambda y: np.where(y < 1e-6, 0 * y, y)))
SHOWING = tuple(f"Softmax-13/float32/axis=1/13x37/{family}/plain" for family in ("gaussian-30", "gaps"))
FLUSHED = Deviation(
    cases=("Softmax-13/float32/*",),
    outcome="wrong",
    shown_by=SHOWING,
    verdicts=("ulp", "log error", "row sum", "kl", "top-k"),
    why="the tail is flushed",
    issue="https://example.org/1",
)
FILES = sorted((files("softops.conformance") / "data").iterdir(), key=lambda path: path.name)


def test_what_is_known_lets_a_report_pass_and_is_not_counted_as_right():
    report = conformance.run(FLUSHES, **SMALL)
    assert not report.passed
    records, gone = marked(report.cases, Known("1", (FLUSHED,)))
    wrong = [record for record in records if record.outcome == "wrong"]
    assert wrong
    assert all(record.known == "https://example.org/1" for record in wrong)
    assert gone == ()


def test_it_is_known_at_every_opset_that_the_version_holds_at_and_from_every_seed():
    report = conformance.run(FLUSHES, **SMALL | {"opsets": [17], "seed": 5})
    assert report.unexpected
    records, _ = marked(report.cases, Known("1", (FLUSHED,)))
    assert all(record.known for record in records if record.outcome == "wrong")
    older = conformance.run(FLUSHES, **SMALL | {"opsets": [12]})
    assert not any(record.known for record in marked(older.cases, Known("1", (FLUSHED,)))[0])


def test_another_verdict_is_not_known():
    bad = Planted(Softmax=after(lambda y: y * np.float32(1.001)))
    records, _ = marked(conformance.run(bad, **SMALL).cases, Known("1", (FLUSHED,)))
    assert any(record.outcome == "wrong" and record.known is None for record in records)


def test_a_deviation_that_vanished_is_told():
    records, gone = marked(conformance.run(Planted(), **SMALL).cases, Known("1", (FLUSHED,)))
    assert gone == ("the tail is flushed",)
    assert all(record.known is None for record in records)


def test_one_that_was_not_run_has_not_vanished():
    # Among these are cases that the deviation speaks of, and all are right: none has shown it.
    found = conformance.run(Planted(), **SMALL, families=["gaussian-1"])
    assert any(FLUSHED.speaks_of(record) for record in found.cases)
    assert marked(found.cases, Known("1", (FLUSHED,)))[1] == ()


def test_one_that_vanished_in_part_is_told_with_the_cases():
    def with_a_winner(y):
        return np.where((y < 1e-6) & (y[:1].max() > 0.2), 0 * y, y)

    found = conformance.run(Planted(Softmax=after(with_a_winner)), **SMALL)
    outcomes = {record.id: record.outcome for record in found.cases if record.id in SHOWING}
    assert sorted(outcomes.values()) == ["right", "wrong"]
    (told,) = marked(found.cases, Known("1", (FLUSHED,)))[1]
    right = next(name for name, outcome in outcomes.items() if outcome == "right")
    assert told == f"the tail is flushed (no longer in {right})"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_at_most_is_in_spacings_at_1(dtype):
    deviation = dataclasses.replace(FLUSHED, cases=("Sigmoid-*",), at_most=2)
    sigmoid = Case(op="Sigmoid", opset=13, dtype=dtype, shape=(3, 5), family="given")
    spacing = float(np.spacing(np.array(1, dtype)))
    for error, known in ((0, True), (2 * spacing, True), (2.01 * spacing, False), (None, False)):
        assert deviation.explains_step(sigmoid, ["ulp"], error) == known


def test_an_error_beyond_at_most_is_not_known_to_the_suite_either():
    """A hundredth of 1 is 2^16.4 spacings at 1, which are 2^-23."""
    found = conformance.run(Planted(Softmax=after(lambda y: y * np.float32(1.01))), **SMALL).cases
    for at_most, all_known in ((2**17, True), (2**10, False)):
        deviation = dataclasses.replace(FLUSHED, verdicts=tuple(VERDICTS), at_most=at_most)
        wrong = [r for r in marked(found, Known("1", (deviation,)))[0] if r.outcome == "wrong"]
        assert wrong
        assert all(record.known is not None for record in wrong) == all_known


@pytest.fixture
def listed(monkeypatch):
    texts = {
        (number,): (
            str(number),
            json.dumps(
                {
                    "deviations": [
                        {"cases": ["*"], "outcome": "wrong", "why": str(number), "shown_by": SHOWING}
                    ]
                }
            ),
        )
        for number in (2, 4)
    }
    monkeypatch.setattr(module, "_files", lambda runtime: texts)


@pytest.mark.parametrize(("version", "taken"), [("2", "2"), ("3.1", "2"), ("4", "4"), ("9", "4"), ("1", "2")])
def test_another_version_takes_the_nearest_list(listed, version, taken):
    assert known_deviations("r", version).version == taken


def test_a_report_says_whose_list_was_taken(listed):
    class Versioned(Planted):
        name, version = "r", "3"

    report = conformance.run(Versioned(), **SMALL)
    assert "no deviations are listed for r 3; those of 2 were used" in report.notes[0]
    assert report.vanished == ("2",)


def test_a_build_of_a_version_is_that_version(listed):
    class Built(Planted):
        name, version = "r", "2+cpu"

    report = conformance.run(Built(), **SMALL)
    assert report.notes == ()
    assert report.vanished == ("2",)


def test_other_peoples_bounds_know_them_too_and_say_nothing_of_vanishing(listed):
    class Versioned(Planted):
        name, version = "r", "2"

    coarse = conformance.run(Versioned(Softmax=after(lambda y: y * np.float32(1 + 1e-4))), **SMALL)
    assert coarse.passed
    assert {record.known for record in coarse.cases if record.outcome == "wrong"} == {module.NOT_REPORTED}
    loose = conformance.run(Versioned(), **SMALL, bound="onnx")
    assert loose.passed
    assert loose.vanished == ()
    far = conformance.run(Versioned(Softmax=after(lambda y: y * np.float32(1.1))), **SMALL, bound="onnx")
    assert far.passed
    assert any(record.known for record in far.cases)


def three_ulp_more(y):
    return np.nextafter(np.nextafter(np.nextafter(y, np.float32(2)), np.float32(2)), np.float32(2))


def test_a_deviation_is_known_by_the_bound_that_it_is_listed_for():
    """Three ULP are within the strict bound, and beyond what softops promises."""
    near = Planted(Softmax=after(lambda y: np.where((y > 0.01) & (y < 0.9), three_ulp_more(y), y)))
    listed = dataclasses.replace(FLUSHED, verdicts=(*FLUSHED.verdicts, "argmax", "order"))
    found = conformance.run(near, **SMALL, bound="exact")
    assert found.unexpected
    records, gone = marked(found.cases, Known("1", (listed,)))
    assert not any(record.known for record in records)
    assert gone == ("the tail is flushed",)
    records, gone = marked(found.cases, Known("1", (dataclasses.replace(listed, bound="exact"),)))
    assert all(record.known for record in records if record.outcome == "wrong")


def test_what_breaks_the_listed_bound_is_known_by_a_narrower_one_too():
    found = conformance.run(FLUSHES, **SMALL, bound="exact")
    records, gone = marked(found.cases, Known("1", (FLUSHED,)))
    beyond = [record for record in records if "strict" in dict(record.beyond)]
    assert beyond
    assert all(record.known for record in beyond)
    assert gone == ()


def test_a_runtime_without_a_list_has_nothing_known():
    assert known_deviations("abacus", "1").deviations == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_committed_lists_are_sound(path):
    content = json.loads(path.read_text("utf-8"))
    assert path.name == f"known-{content['runtime']}-{content['version']}.json"
    names = {case.id for case in cases(settings=("threads=1", "threads=2", "threads=3", "level=all"))}
    for entry in content["deviations"]:
        deviation = module._parsed(json.dumps({"deviations": [entry]}))[0]
        assert deviation.outcome in set(OUTCOMES) - {"right", "unsupported"}
        assert set(deviation.verdicts) <= set(VERDICTS)
        assert deviation.bound in BOUNDS
        assert (deviation.outcome == "wrong") == bool(deviation.verdicts)
        assert deviation.why.endswith(".")
        assert deviation.issue == module.NOT_REPORTED or deviation.issue.startswith("https://")
        for pattern in deviation.cases:
            assert any(fnmatchcase(name, pattern) for name in deviation.shown_by), pattern
        for name in deviation.shown_by:
            assert name in names
            assert any(fnmatchcase(name, pattern) for pattern in deviation.cases), name
