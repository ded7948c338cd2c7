"""The precision that a runtime chose: told in every form of a report, and what is known goes by it."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from planted import Planted, Rounded, after

from softops import conformance
from softops.conformance import SuiteReport
from softops.conformance.suite import suite
from softops.conformance.verdicts import known as module

SMALL = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "quick": True}
SHOWING = "Softmax-13/float32/axis=1/13x37/gaussian-3/plain"
VERDICTS = ("ulp", "kl", "log error", "row sum", "order", "argmax", "top-k")
HEADING = "rounded 1 on CPU, computed in bfloat16"
CAUSE = "rounded ran in bfloat16, its default on this processor; rounded:precision=f32 asks for float32"


def deviation(precision, why):
    listed = {"cases": ["Softmax-13/*"], "outcome": "wrong", "verdicts": VERDICTS, "shown_by": [SHOWING]}
    return {**listed, "why": why, "issue": "https://example.org/1", "precision": precision}


@pytest.fixture
def listed(monkeypatch):
    """Of `rounded` it is known that it rounds in bfloat16."""
    text = json.dumps({"deviations": [deviation("bf16", "it rounds"), deviation("f16", "never seen")]})
    monkeypatch.setattr(module, "_files", lambda runtime: {(1,): ("1", text)})


def wrong(report):
    return [record for record in report.cases if record.outcome == "wrong"]


def test_what_is_known_in_the_precision_passes_and_the_cause_is_told(listed):
    report = conformance.run(Rounded(), **SMALL)
    assert report.passed
    assert len(wrong(report)) > 10
    assert {record.known for record in wrong(report)} == {"https://example.org/1"}
    assert (report.heading, report.notes, report.vanished) == (HEADING, (CAUSE,), ())


def test_in_float32_nothing_is_wrong_and_nothing_has_vanished(listed):
    report = conformance.run(Rounded("f32"), **SMALL)
    assert report.passed
    assert wrong(report) == []
    assert (report.notes, report.vanished) == ((), ())
    assert report.heading == "rounded 1 on CPU, computed in float32"


def test_the_same_results_in_another_precision_are_not_known(listed):
    class Untold(Rounded):
        """It says float32, and rounds all the same."""

        def load(self, model):
            run = super().load(model)
            self.computes_in = "float32"
            return run

    report = conformance.run(Untold(), **SMALL)
    assert not report.passed
    assert all(record.known is None for record in wrong(report))


@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_a_fault_is_found_in_both(listed, precision):
    """Results that are infinite are no roundings, whatever they are computed in."""
    report = conformance.run(Rounded(precision, Softmax=lambda y: y / np.float32(0)), **SMALL)
    assert not report.passed
    assert any(not record.known for record in wrong(report))


def test_a_deviation_that_vanished_in_its_precision_is_told(listed):
    class Cured(Rounded):
        def load(self, model):
            run = Rounded("f32").load(model)
            self.computes_in = "bf16"
            return run

    assert conformance.run(Cured(), **SMALL).vanished == ("it rounds",)


def test_what_other_processors_show_has_not_vanished_here(monkeypatch):
    here = deviation("", "it rounds") | {"processors": "without bfloat16"}
    monkeypatch.setattr(module, "_files", lambda runtime: {(1,): ("1", json.dumps({"deviations": [here]}))})
    assert conformance.run(Rounded("f32"), **SMALL).vanished == ()
    assert conformance.run(Rounded(), **SMALL).passed


def test_a_runtime_that_tells_nothing_has_a_plain_first_line():
    report = conformance.run(Planted(Softmax=after(lambda y: y)), **SMALL)
    assert report.heading == "Planted"
    assert (report.computes_in, report.runs_on) == ((), ())


def test_it_comes_through_from_a_process_of_its_own():
    report = conformance.run(Rounded(), **SMALL, families=["ties"], time_limit=60)
    assert report.heading == HEADING
    assert report.notes == (CAUSE,)


def test_it_comes_through_from_several_processes(monkeypatch):
    monkeypatch.setattr(suite, "WORTH_CASES", 1)
    asked = {**SMALL, "dtypes": None, "families": ["ties"]}
    report = conformance.run("onnxruntime", **asked, jobs=2)
    told = {record.computes_in for record in report.cases if record.outcome == "right"}
    assert told == {"own"}
    assert report.heading.endswith("on CPUExecutionProvider, computed in the model's own types")


def test_each_form_has_it_on_its_first_line(listed, tmp_path):
    report = conformance.run(Rounded(), **SMALL)
    report.write(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert list(content)[:2] == ["schema", "heading"]
    assert (content["heading"], content["computes_in"], content["runs_on"]) == (HEADING, ["bf16"], ["CPU"])
    assert SuiteReport.from_json(report.to_json()).heading == HEADING
    assert HEADING in (tmp_path / "report.md").read_text("utf-8").splitlines()[0]
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().attrib["name"] == HEADING
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"<h1>{HEADING}</h1>" in page
    assert CAUSE in page
    (issue,) = {path.read_text("utf-8").splitlines()[0] for path in tmp_path.glob("reproductions/*/ISSUE.md")}
    assert issue.endswith(f"wrong in {HEADING}")
