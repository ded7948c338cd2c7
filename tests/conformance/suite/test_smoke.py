"""A runtime that can run nothing at all ends the run at once, with its own words; any other is judged to the end."""

import itertools
import multiprocessing

import onnx
import pytest
from planted import NoDevices, Planted, is_trivial

from softops import conformance
from softops.cli.main import run
from softops.conformance import RuntimeUnusableError
from softops.conformance.errors import ModelNotSupportedError
from softops.conformance.suite import suite

ASKED = {"dtypes": ["float32"], "families": ["gaussian-3"], "quick": True}
LONG = NoDevices.said


class Fails:
    """Fails on all models that ``fails`` holds for, with the words of ``say``, and runs the others."""

    name, version = "toy", "1"

    def __init__(self, say=lambda proto: RuntimeError("no usable devices"), fails=lambda proto: True):
        self.runs = 0
        self._say, self._fails = say, fails

    def run(self, model, feeds):
        self.runs += 1
        proto = onnx.load_from_string(model)
        if self._fails(proto):
            raise self._say(proto)
        return list(feeds.values()) if is_trivial(proto) else Planted().run(model, feeds)


class Panic(BaseException):
    """As PyO3 raises for a panic in Rust."""


def operator_of(proto):
    return proto.graph.node[0].op_type


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no usable devices"), "(got no usable devices)"),
        (MemoryError(), "(got MemoryError)"),
        (SystemExit(0), "(got SystemExit 0)"),
        (Panic("index out of bounds"), "(got Panic index out of bounds)"),
        (RuntimeError(LONG), "(got no usable devices)"),
    ],
)
def test_one_that_can_run_nothing_is_asked_few_cases(error, said):
    toy, told = Fails(lambda proto: error), []
    with pytest.raises(RuntimeUnusableError) as caught:
        conformance.run(toy, **ASKED, progress=lambda *now: told.append(now))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Identity, Add and every operator (1" in str(caught.value)
    assert toy.runs < 30
    assert len(told) < 3
    assert (LONG in caught.value.detail) == (str(error) == LONG)


def test_what_it_refuses_by_itself_does_not_hide_that_it_runs_nothing():
    class Choosy(Fails):
        def supports(self, op, opset, dtype):
            return None if op in ("Softmax", "TopK") and opset > 11 and dtype == "float32" else "not taken"

    toy = Choosy(lambda proto: RuntimeError("no device; none at all"))
    with pytest.raises(RuntimeUnusableError, match=r"no device; none at all\); so fail .* operator \(2\)"):
        conformance.run(toy, families=["gaussian-3"], quick=True)
    runs_one = Choosy(fails=lambda proto: operator_of(proto) != "TopK")
    assert conformance.run(runs_one, families=["gaussian-3"], quick=True).counts["right"] > 0


def test_words_that_differ_in_numbers_and_paths_alone_are_the_same():
    count = itertools.count()
    toy = Fails(
        lambda proto: RuntimeError(f"cannot open /tmp/x{next(count)}y/model.onnx, error {next(count)}")
    )
    with pytest.raises(RuntimeUnusableError, match="cannot open"):
        conformance.run(toy, **ASKED)


@pytest.mark.parametrize(
    "toy",
    [
        Fails(fails=lambda proto: not is_trivial(proto)),
        Fails(fails=lambda proto: operator_of(proto) != "Identity"),
        Fails(fails=lambda proto: operator_of(proto) != "TopK"),
        Fails(lambda proto: RuntimeError(f"no kernel for {operator_of(proto)}")),
        Fails(lambda p: ModelNotSupportedError("one") if is_trivial(p) else RuntimeError("one")),
    ],
    ids=["trivial models run", "one of them", "an operator runs", "other words", "it says so"],
)
def test_one_that_can_run_something_or_says_otherwise_is_judged(toy):
    report = conformance.run(toy, **ASKED, ops=["Softmax", "TopK"])
    assert report.counts["crashed"] > 10
    assert not report.passed


def test_one_that_fails_later_is_judged():
    class Later(Planted):
        runs = 0

        def run(self, model, feeds):
            self.runs += 1
            if self.runs > 4:
                message = "out of devices"
                raise RuntimeError(message)
            return super().run(model, feeds)

    assert conformance.run(Later(), **ASKED, ops=["Softmax"]).counts["crashed"] > 10


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_command_says_it_in_a_line(jobs, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "WORTH_CASES", 1)
    report = ["--report", str(tmp_path / "report")]
    asked = ["--ops", "Softmax", "--dtypes", "float32", "--quick", "--jobs", str(jobs)]
    before = set(multiprocessing.active_children())
    assert run(["conformance", "--runtime", "backend:planted:NoDevices", *asked, *report]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        "softops: expected backend:planted:NoDevices to run the model (got no usable devices)"
    )
    assert err.count("\n") == 1
    assert not (tmp_path / "report").exists()
    assert set(multiprocessing.active_children()) <= before


def test_of_a_failure_the_first_line_is_shown_and_all_of_it_kept(tmp_path, capsys):
    toy = Fails(lambda proto: RuntimeError(LONG), fails=lambda proto: not is_trivial(proto))
    report = conformance.run(toy, **ASKED, ops=["Softmax"])
    record = report.unexpected[0]
    assert "(got no usable devices)" in record.message
    assert "frame" not in record.message
    assert record.detail == LONG
    report.write(tmp_path)
    assert conformance.SuiteReport.from_json((tmp_path / "report.json").read_text()).cases == report.cases
    for name in ("report.html", "junit.xml", "reproductions/softmax-float32-crashed/ISSUE.md"):
        assert "299: frame_299" in (tmp_path / name).read_text(), name
    assert "frame" not in (tmp_path / "report.md").read_text()


def test_a_line_without_an_end_is_cut():
    toy = Fails(lambda proto: RuntimeError("a" * 10_000), fails=lambda proto: not is_trivial(proto))
    record = conformance.run(toy, **ASKED, ops=["Softmax"]).unexpected[0]
    assert len(record.message) < 700
    assert record.detail == "a" * 10_000


def test_right_outputs_need_no_probing():
    seen = []

    class Right(Planted):
        def run(self, model, feeds):
            seen.append(operator_of(onnx.load_from_string(model)))
            return super().run(model, feeds)

    assert conformance.run(Right(), **ASKED, ops=["Softmax"]).passed
    assert seen
    assert not {"Identity", "Add"} & set(seen)
