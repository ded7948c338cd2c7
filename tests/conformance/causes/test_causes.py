"""Causes from outside: each planted fault is named, a right runtime names none, another fault is not named falsely."""

import ml_dtypes
import numpy as np
import pytest
from planted import Planted, after, along_row, by_row, softmax

from softops import conformance
from softops.conformance.suite.report import SuiteReport

F32 = ["float32"]


def causes_of(op, fault, **choice):
    choice = {"dtypes": F32, "quick": True} | choice
    return conformance.run(Planted(**{op: fault}), ops=[op], **choice).causes


def single_axis_rule(x, node):
    return softmax(x, node.axis)


def newest_rule(x, node):
    return softmax(x, node.attributes.get("axis", -1))


def oldest_rule(x, node):
    axis = node.attributes.get("axis", min(1, x.ndim - 1)) % x.ndim
    return softmax(x.reshape(*x.shape[:axis], -1), axis).reshape(x.shape)


def sums_in(kind, *, parts_too):
    def function(x, axis):
        e = np.exp(x - x.max(axis, keepdims=True))
        halves = e.astype(kind)
        total = np.add.accumulate(halves, axis, dtype=kind).take([-1], axis)
        return (halves if parts_too else e).astype(x.dtype) / total.astype(x.dtype)

    return along_row(function)


def all_in(kind):
    return along_row(lambda x, axis: softmax(x, axis, kind))


def flush_below(threshold):
    return after(lambda y: np.where(y < threshold, 0 * y, y))


def last_of_equals(x, axis):
    y = np.zeros_like(x)
    place = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis)
    np.put_along_axis(y, np.expand_dims(place, axis), 1, axis)
    return y


def log_of_softmax(x, axis):
    return np.log(softmax(x, axis))


def no_maximum(x, axis):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def overflowing_log_sum(x, node):
    axes = tuple(node.attributes["axes"]) if "axes" in node.attributes else None
    if node.opset >= 18:
        axes = tuple(node.inputs[1]) if len(node.inputs) > 1 and len(node.inputs[1]) else None
        if axes is None and node.attributes.get("noop_with_empty_axes"):
            return x
    return np.log(np.exp(x).sum(axes, keepdims=bool(node.attributes.get("keepdims", 1))))


def base_two(x, axis):
    return softmax(x * np.float32(np.log(2)), axis)


def nan_passed_over(x, node):
    return node.right(np.where(np.isnan(x), x.dtype.type(-np.inf), x))


def uniform_if_masked(row):
    return np.full_like(row, 1 / row.size) if np.isneginf(row).all() else softmax(row, 0)


def older_rule_in_logs(x, node):
    return np.log(oldest_rule(x, node))


def in_float32(x, axis):
    return softmax(x.astype(np.float32), axis).astype(x.dtype)


FEW = {"opsets": [13], "families": ["gaussian-1", "gaussian-3", "gaussian-30", "gaps", "minus-inf-some"]}
BELOW_13 = {"opsets": [1, 11]}
TIES = {"opsets": [13], "families": ["gaussian-1", "ties", "ties-at-k", "nan-middle", "nan-first"]}
NANS = {"opsets": [13]}
# (operator, fault, words of its cause, what it is looked for in)
NAMED = {
    "axis rule of 13 below 13": ("Softmax", single_axis_rule, "the axis rule of opset 13 held", BELOW_13),
    "axis rule and default of 13": ("Softmax", newest_rule, "the axis rule of opset 13 held", BELOW_13),
    "axis rule below 13": (
        *("LogSoftmax", older_rule_in_logs, "the axis rule below opset 13 held"),
        {"opsets": [13], "families": ["gaussian-1", "gaussian-3"]},
    ),
    "sums in float16": (
        "Softmax",
        sums_in(np.float16, parts_too=False),
        "the sums were taken in float16",
        FEW,
    ),
    "exponentials too": (
        "Softmax",
        sums_in(np.float16, parts_too=True),
        "the sums were taken in float16",
        FEW,
    ),
    "sums in bfloat16": (
        *("Softmax", sums_in(ml_dtypes.bfloat16, parts_too=False), "the sums were taken in bfloat16", FEW),
    ),
    "all in float16": ("Softmax", all_in(np.float16), "computed in float16", FEW),
    "halves in halves": (
        *("Softmax", sums_in(np.float16, parts_too=True), "computed in float16"),
        FEW | {"dtypes": ["float16"]},
    ),
    "all in float32": (
        "Softmax",
        along_row(in_float32),
        "computed in float32",
        FEW | {"dtypes": ["float64"]},
    ),
    "flushed below 1e-6": ("Softmax", flush_below(1e-6), "results below 1e-06 were set to 0", {}),
    "flushed below 1e-7": ("Softmax", flush_below(1e-7), "results below 1e-07 were set to 0", FEW),
    "flushed below 1e-12": ("Sigmoid", flush_below(1e-12), "results below 1e-12 were set to 0", {}),
    "the last of equals in Hardmax": (
        "Hardmax",
        along_row(last_of_equals),
        "the last of equal scores won",
        TIES,
    ),
    "the last of equals in ArgMax": (
        *("ArgMax", lambda x, node: node.right(select_last_index=1), "the last of equal scores won", TIES),
    ),
    "log of a softmax": ("LogSoftmax", along_row(log_of_softmax), "the logarithm of a softmax", FEW),
    "no maximum": ("Softmax", along_row(no_maximum), "without their maximum", {"opsets": [13]}),
    "overflowing log-sum": (
        "ReduceLogSumExp",
        overflowing_log_sum,
        "without their maximum",
        {"opsets": [18]},
    ),
    "overflowing softplus": ("Softplus", lambda x, node: np.log(np.exp(x) + 1), "without their maximum", {}),
    "a NaN passed over": ("Hardmax", nan_passed_over, "a NaN were passed over", TIES),
    "0 for NaN": (
        "Softmax",
        after(lambda y: np.nan_to_num(y, nan=0)),
        "0 were written where NaN belongs",
        NANS,
    ),
    "a masked line uniform": ("Softmax", by_row(uniform_if_masked), "nothing but -inf were uniform", NANS),
    "powers of two": ("Softmax", along_row(base_two), "powers were taken of 2", FEW),
    "the sign": ("Sigmoid", lambda x, node: node.right(-x), "the sign of the inputs", FEW),
    "the last axis": ("Hardmax", lambda x, node: node.right(axis=-1), "along the last axis", FEW),
    "no logarithm": ("LogSoftmax", along_row(softmax), "it were a Softmax", FEW),
    "a clipped sigmoid": (
        *(
            "Sigmoid",
            lambda x, node: node.right(np.clip(x, -18, 18)),
            "results below 1.523e-08 were raised",
            FEW,
        ),
    ),
    "no scale": (
        *("Attention", lambda x, node: node.right(scale=1.0), "the scores were not scaled"),
        {"opsets": [23], "families": ["gaussian-1"]},
    ),
    "not causal": (
        *("Attention", lambda x, node: node.right(is_causal=0), "is_causal were not looked at"),
        {"opsets": [23], "families": ["gaussian-3"]},
    ),
}


@pytest.mark.parametrize("fault", NAMED)
def test_a_planted_fault_is_named_first(fault):
    op, function, words, choice = NAMED[fault]
    causes = causes_of(op, function, **choice)
    first = causes[0]
    assert words in first.sentence, [cause.sentence for cause in causes]
    assert first.sentence.startswith("as if ")
    assert first.operators == (op,)
    assert first.cases == first.new > 0
    assert f"Explains {first.cases:,} of {first.failing:,}" in first.evidence
    # What it does not explain is not hidden.
    assert first.cases >= first.failing / 2


def off_by(share):
    return after(lambda y: y * np.float32(1 + share))


OTHERS = {
    "a factor": ("Softmax", off_by(1e-4)),
    "a smaller factor": ("Softmax", off_by(3e-5)),
    "an offset": ("LogSoftmax", after(lambda y: y + np.float32(1e-4))),
    "neighbours": ("Softmax", after(lambda y: np.roll(y, 1, -1))),
    "a floor where 0 belongs": ("Softmax", after(lambda y: y + np.float32(1e-7))),
    "zeros": ("Softmax", after(np.zeros_like)),
    "ones": ("Softmax", after(np.ones_like)),
    "nothing but NaN": ("Softmax", after(lambda y: np.full_like(y, np.nan))),
    "the inputs": ("Softmax", lambda x, node: x.copy()),
    "noise of a thousandth": (
        "Softmax",
        after(lambda y: y * (1 + 1e-3 * np.random.default_rng(y.size).random(y.shape, np.float32))),
    ),
    "the first of a line": (
        "Hardmax",
        along_row(lambda x, axis: np.indices(x.shape)[axis].astype(x.dtype) == 0),
    ),
    "another dtype": ("Softmax", after(lambda y: y.astype(np.float64))),
}


@pytest.mark.parametrize("fault", OTHERS)
def test_another_fault_is_not_named_falsely(fault):
    families = ["gaussian-1", "gaussian-30", "ties", "nan-first", "gaps"]
    causes = causes_of(*OTHERS[fault], families=families, opsets=[13])
    assert causes
    assert [cause.name for cause in causes if cause.name] == []
    assert all("as if" not in cause.sentence for cause in causes)


def test_a_right_runtime_has_no_causes():
    assert conformance.run(Planted(), ops=["Softmax", "Hardmax"], dtypes=F32, quick=True).causes == ()


def test_the_same_fault_of_several_operators_and_dtypes_is_one_cause():
    faults = {"Softmax": flush_below(1e-6), "Sigmoid": flush_below(1e-6)}
    families = ["gaussian-1", "gaussian-30", "gaps"]
    choice = {"dtypes": ["float32", "float64"], "families": families}
    report = conformance.run(Planted(**faults), ops=list(faults), **choice)
    (cause,) = report.causes
    assert (cause.operators, cause.dtypes) == (("Softmax", "Sigmoid"), ("float32", "float64"))
    assert cause.cases == report.counts["wrong"]
    for part in ("Softmax-1, -11, -13", "Sigmoid-1, -6, -13", "float32 and float64"):
        assert part in cause.where


def test_two_faults_are_both_named():
    def both(x, node):
        y = single_axis_rule(x, node) if node.opset < 13 else node.right()[0]
        return np.where(np.isnan(y), 0 * np.ones_like(y), y)

    names = [cause.name for cause in causes_of("Softmax", both)]
    assert "0 for nan" in names
    assert any(name.startswith("axis rule of 13") for name in names)


def test_a_right_case_that_speaks_against_it_keeps_a_cause_from_being_claimed():
    def by_family(x, node):
        # Flushed only where the rows are many: the threshold is not what decides.
        (y,) = node.right()
        return np.where(y < 1e-6, 0 * y, y) if len(x) == 13 and x[0, 0] > 0 else y

    assert [cause.name for cause in causes_of("Softmax", by_family) if cause.name] == []


def test_what_crashed_is_told_by_what_was_said():
    def fails(x, node):
        message = f"no memory for {x.size} elements"
        raise MemoryError(message)

    report = conformance.run(
        Planted(Softmax=fails, Hardmax=fails), ops=["Softmax", "Hardmax"], dtypes=F32, quick=True
    )
    (cause,) = report.causes
    assert (cause.outcome, cause.operators, cause.name) == ("crashed", ("Softmax", "Hardmax"), "")
    assert cause.cases == report.counts["crashed"] > 200
    assert "no memory for" in cause.sentence


def test_causes_and_what_they_rest_on_come_back_from_json():
    report = conformance.run(Planted(Softmax=flush_below(1e-6)), ops=["Softmax"], dtypes=F32, quick=True)
    again = SuiteReport.from_json(report.to_json())
    assert again.causes == report.causes != ()
    assert [record.fits for record in again.cases] == [record.fits for record in report.cases]
    assert any(record.fits for record in again.cases)
    assert not any(record.fits for record in again.cases if record.outcome == "right")
