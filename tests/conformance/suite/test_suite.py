"""`softops.conformance.run`: what it takes, what it reports, and that no kind of failure passes."""

import numpy as np
import pytest
from planted import Deadly, Planted, after

from softops import conformance
from softops.conformance.cases.grid import cases
from softops.conformance.errors import ModelNotSupportedError
from softops.conformance.suite.examiner import Examiner

SMALL = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "families": ["gaussian-3"], "quick": True}


def outcomes(report):
    return {outcome for outcome, count in report.counts.items() if count}


def test_an_opset_chooses_the_row_that_holds_there():
    report = conformance.run(Planted(), **{**SMALL, "opsets": [12, 17]})
    assert {record.opset for record in report.cases} == {12, 17}
    assert report.passed


def test_the_same_seed_gives_the_same_report():
    found = [conformance.run(Planted(), **SMALL) for _ in range(2)]
    assert found[0].cases == found[1].cases
    other = conformance.run(Planted(), **SMALL, seed=1)
    assert other.passed
    assert [r.max_ulp for r in other.cases] != [r.max_ulp for r in found[0].cases]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"ops": ["Softmx"]}, "Softmax"),
        ({"dtypes": ["float8"]}, "float"),
        ({"families": ["gausian-3"]}, "gaussian-3"),
        ({"opsets": [99]}, "opsets at which"),
        ({"quick": True, "full": True}, "quick or a full"),
        ({"bound": "lax"}, "strict, webnn, onnx"),
        ({"time_limit": 0}, "time limit"),
    ],
)
def test_what_is_not_known_is_refused(choice, said):
    with pytest.raises(ValueError, match=said):
        conformance.run(Planted(), **{**SMALL, **choice})


class Refuses(Planted):
    def supports(self, op, opset, dtype):
        return "too hard"


class RefusesModels(Planted):
    def run(self, model, feeds):
        raise ModelNotSupportedError


class CannotSay(Planted):
    def supports(self, op, opset, dtype):
        raise KeyError(op)


class SaysYes(Planted):
    def supports(self, op, opset, dtype):
        return True


class Gives(Planted):
    """Something else than a list of arrays."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    def run(self, model, feeds):
        return self._change(super().run(model, feeds))


@pytest.mark.parametrize(
    ("runtime", "outcome"),
    [
        (Refuses(), "unsupported"),
        (RefusesModels(), "unsupported"),
        (CannotSay(), "crashed"),
        (SaysYes(), "crashed"),
        (Gives(lambda outputs: None), "crashed"),
        (Gives(lambda outputs: outputs[0]), "crashed"),
        (Gives(lambda outputs: {"output": outputs[0]}), "crashed"),
        (Gives(lambda outputs: [[[0.5], [0.25, 0.25]]]), "crashed"),
        (Gives(lambda outputs: ["0.5"]), "wrong"),
        (Gives(lambda outputs: [object()]), "wrong"),
        (Gives(lambda outputs: [outputs[0].tolist()]), "wrong"),
        (Gives(lambda outputs: [np.broadcast_to(np.float32(1), (10**6, 10**6))]), "wrong"),
    ],
)
def test_outcomes_are_kept_apart_and_none_passes(runtime, outcome):
    report = conformance.run(runtime, **SMALL)
    assert outcomes(report) - {"unsupported"} <= {outcome}
    assert outcome in outcomes(report)
    assert not report.passed


def test_what_a_runtime_may_give():
    for change in (iter, tuple, lambda outputs: [x.astype(x.dtype.newbyteorder(">")) for x in outputs]):
        assert conformance.run(Gives(change), **SMALL).passed


def test_one_that_raises_now_and_then_is_run_on():
    class Sometimes(Planted):
        def run(self, model, feeds):
            if feeds["input"].ndim == 2:
                message = "two dimensions"
                raise RuntimeError(message)
            return super().run(model, feeds)

    report = conformance.run(Sometimes(), **SMALL)
    assert report.counts["crashed"] > 0
    assert report.counts["right"] > 0
    assert "two dimensions" in report.unexpected[0].message


def test_a_failure_of_ours_is_none_of_the_runtime(monkeypatch):
    monkeypatch.setattr("softops.conformance.suite.examiner.assess", lambda *_: 1 / 0)
    report = conformance.run(Planted(), **SMALL)
    assert "harness failed" in outcomes(report)
    assert not report.passed


class Threaded(Planted):
    """Sums in another order on more threads."""

    settings = ("threads=1", "threads=3")

    def __init__(self, threads=1):
        change = after(lambda y: y * np.float32(1 + 2.0**-23 * (threads - 1)))
        super().__init__(Softmax=change)

    def configured(self, setting):
        return Threaded(int(setting[-1]))


def test_results_that_vary_with_threads_are_caught():
    report = conformance.run(Threaded(), **SMALL)
    assert not report.passed
    assert {record.verdict for record in report.unexpected} == {"threads"}
    assert all(record.setting == "threads=3" for record in report.unexpected)


def test_a_process_that_dies_or_hangs_does_not_stop_the_suite():
    from softops.conformance.cases.case import Case
    from softops.conformance.suite.suite import run_cases

    listed = [
        Case(op="Softmax", opset=13, dtype="float32", shape=(rows, 5), family="gaussian-3")
        for rows in (4, 2, 3, 5)
    ]
    report = run_cases(Deadly(), listed, time_limit=2)
    assert [record.outcome for record in report.cases] == ["right", "crashed", "hung", "right"]
    assert "code 9" in report.cases[1].message
    assert not report.passed


def test_other_peoples_bounds_are_looser():
    coarse = Planted(Softmax=after(lambda y: y * np.float32(1 + 2e-5)))
    strict = conformance.run(coarse, **SMALL)
    onnx = conformance.run(coarse, **SMALL, bound="onnx")
    assert not strict.passed
    assert onnx.passed, onnx.unexpected[0].message
    assert onnx.bound == "onnx"
    webnn = conformance.run(
        Planted(Softmax=after(lambda y: y * np.float32(1 + 8e-6))), **SMALL, bound="webnn"
    )
    assert webnn.counts["right"] > 0


def test_a_record_says_how_far_and_where():
    wrong = Planted(Softmax=after(lambda y: np.where(y < 1e-6, 0 * y, y)))
    case = next(case for case in cases(ops="Softmax", dtypes="float32", families="gaussian-30"))
    record = Examiner(wrong).examine(case)
    assert record.outcome == "wrong"
    assert record.worst.actual == 0
    assert float(record.worst.exact) == pytest.approx(record.worst.expected, rel=1e-7)
    assert record.max_log == np.inf
    assert record.smallest_rtol == 1
    assert record.smallest_atol < 1e-6
    # This is what an absolute tolerance of 1e-5 hides.
    assert record.decided_by_atol > 0.8
    assert sum(count for _, count in record.ulp_histogram) == record.elements == 13 * 37
