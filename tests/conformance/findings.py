"""A report of made-up findings: every status, awkward words, numbers that JSON has no name for."""

import dataclasses
import math

from softops.conformance.cases.case import Case
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.cause import Cause
from softops.conformance.verdicts.record import CaseRecord, Check, Worst

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(2, 3), family="gaussian-3")
WORST = Worst(
    output="output",
    index=(0, 1),
    dtype="float32",
    exact="3.33333333333333333333e-1",
    expected=0.3333333432674408,
    actual=0.25,
    error_ulp=2796202.7,
    bound_ulp=9.5,
)
NASTY = "</script><b>not & bold</b> | `x` \x00\x1b"
BARS = ((0.5, 5), (1.0, 1), (2.0**40, 2), (math.inf, 1))


_OF_SOFTMAX = {"outcome": "wrong", "operators": ("Softmax",), "opsets": (13,)}
CAUSES = (
    Cause(
        name="half",
        sentence="as if half of it were missing",
        where="Softmax-13 in float32",
        evidence="Explains 2 of 2.",
        dtypes=("float32",),
        cases=2,
        example=CASE.id,
        **_OF_SOFTMAX,
    ),
    Cause(
        name="known",
        sentence="as if known",
        where="Softmax-13",
        dtypes=("float64",),
        cases=1,
        known=1,
        **_OF_SOFTMAX,
    ),
)


def case(**fields):
    return dataclasses.replace(CASE, **fields)


def record(outcome, of=CASE, **more):
    return CaseRecord(case=of, outcome=outcome, elements=6, **more)


def wrong(of=CASE, **more):
    checks = (Check(name="ulp", passed=False, measured=2.8e6, bound=9.5, message=NASTY),)
    fields = {"verdict": "ulp", "message": NASTY, "checks": checks, "worst": WORST, "max_ulp": 2796202.7}
    return record("wrong", of, **fields | more)


def findings(**more):
    cases = (
        record("right", max_ulp=0.75, ulp_histogram=BARS, bound_used=0.5),
        record("right", case(dtype="float16"), max_ulp=0.5, ulp_histogram=((0.5, 6),)),
        wrong(),
        wrong(case(shape=(3,), axis=0)),
        wrong(case(dtype="float64"), known="https://example.org/7"),
        record("unsupported", case(dtype="bfloat16"), message="no kernel"),
        record("crashed", case(op="Hardmax"), message="it raised <Error>"),
        record("hung", case(op="Hardmax", opset=11), message="stopped after 3 s"),
        record("harness failed", case(op="TopK", dtype="int64"), message="the oracle failed"),
    )
    fields = {
        "runtime": "a<b",
        "runtime_version": "1&2",
        "softops_version": "0",
        "seconds": 1.5,
        "cases": cases,
    }
    return SuiteReport(**fields | more)
