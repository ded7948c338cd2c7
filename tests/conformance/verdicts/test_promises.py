"""The exact bound: what the kernels promise, never wider than the strict one, and what it finds in runtimes."""

import re
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from softops import conformance, numba_kernels
from softops.conformance.cases.build import truth
from softops.conformance.cases.case import Case
from softops.conformance.measure.errors import against_exact
from softops.conformance.measure.ulp import spacing
from softops.conformance.verdicts.promises import FUSED, KERNELS, PROMISED, promised
from softops.conformance.verdicts.rules import BOUNDS, RULES, allowances_by
from softops.opset import operator

DOCS = Path(__file__).parents[3] / "docs"
FAMILIES = ("gaussian-1", "gaussian-30", "gaussian-1000", "gaps", "offsets", "minus-inf-some", "subnormal")
# As the docstrings of the kernels say it.
TWO = {"float32": 2, "float64": 2, "float16": 0.51, "bfloat16": 0.51}
SAID = {
    "Softmax": (13, TWO),
    "LogSoftmax": (13, TWO | {"float32": 1}),
    "Sigmoid": (13, TWO),
    "Softplus": (22, TWO),
    "ReduceLogSumExp": (18, TWO),
    "SoftmaxCrossEntropyLoss": (13, TWO | {"float16": 1, "bfloat16": 1}),
}


def case(op, dtype, family="gaussian-1", **more):
    variant = "none" if op == "SoftmaxCrossEntropyLoss" else ""
    axis = None if op in ("Sigmoid", "Softplus", "SoftmaxCrossEntropyLoss") else 1
    given = {"opset": SAID.get(op, (13,))[0], "axis": axis, "variant": variant, "shape": (13, 37)}
    return Case(**{"op": op, "dtype": dtype, "family": family, **given, **more})


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("op", SAID)
def test_an_element_may_be_off_by_what_is_promised_and_by_no_more(op, dtype):
    asked = case(op, dtype)
    known = truth(asked)
    exact = known.exact[0].astype(np.longdouble)
    allowed = allowances_by(asked, known, 0)["exact"]
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    unit = spacing(exact, kind).astype(np.float64)
    ulp = SAID[op][1][dtype]
    assert (allowed <= ulp * unit).all()
    if (
        kind.itemsize > 2
    ):  # of halves the strict bound is narrower, but for the tails: arithmetic in float32, rounded once
        assert (allowed == ulp * unit).mean() > 0.5
    assert (allowed >= min(ulp, 0.5) * unit).all()
    nearest = exact.astype(np.float64).astype(kind)
    assert against_exact(nearest, exact, allowed).used.max() <= 1
    off = (exact + 4 * unit).astype(np.float64).astype(kind)
    assert against_exact(off, exact, allowed).used.min() > 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("op", SAID)
def test_it_is_never_wider_than_the_strict_one(op, family):
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        asked = case(op, dtype, family)
        found = allowances_by(asked, truth(asked), 0)
        assert list(found) == list(BOUNDS)
        assert (found["exact"] <= found["strict"]).all()


@pytest.mark.parametrize(
    "asked",
    [
        case("Attention", "float32", "gaussian-3", opset=24, shape=(2, 2, 5, 8), axis=None),
        case("ReduceLogSumExp", "int32", axis=1),
        case("NegativeLogLikelihoodLoss", "float32", "gaussian-3", variant="mean", axis=None),
    ],
    ids=lambda asked: asked.op,
)
def test_where_nothing_is_promised_it_is_the_strict_one(asked):
    found = allowances_by(asked, truth(asked), 0)
    np.testing.assert_array_equal(found["exact"], found["strict"])


def test_the_pages_say_what_is_promised():
    accuracy = (DOCS / "accuracy.md").read_text("utf-8").split("## Errors")[1].split("\n## ")[0]
    told = re.findall(r"^\| \**(\w+) \| (\w+) \| ([\d.]+) \|", accuracy, re.MULTILINE)
    both = PROMISED | FUSED
    assert {(op, dtype): float(ulp) for op, dtype, ulp in told} == {
        (op, dtype): ulp for op in both for dtype, ulp in both[op].items()
    }
    page = (DOCS / "conformance.md").read_text("utf-8")
    for bound in BOUNDS:
        assert f"| `{bound}` |" in page
    for op in KERNELS:
        assert f"| {op} | {promised(op)} |" in page
    assert {op for op in RULES if promised(op)} == set(KERNELS)


def test_a_promise_is_of_a_kernel_that_there_is():
    assert set(PROMISED) <= set(numba_kernels.__all__)
    assert {kernel for kernels in KERNELS.values() for kernel in kernels} <= set(PROMISED)


def test_our_own_backend_keeps_it():
    found = conformance.run("softops", ops=list(KERNELS), quick=True, bound="exact", jobs=0)
    assert found.passed, [record.message for record in found.unexpected][:3]
    assert not any(record.beyond for record in found.cases)


@pytest.mark.slow
def test_our_own_backend_keeps_it_in_every_case():
    found = conformance.run("softops", full=True, bound="exact", jobs=0)
    assert found.passed, [record.message for record in found.unexpected][:3]


def test_a_log_sum_that_cancels_is_not_held_to_more_than_the_oracle_knows():
    """The exact result is 7.07290374166080744e-06 (mpmath): extended precision is 14 ULP of it off."""
    row = np.array([-1.9073752872278864, -2.841953769700711, -0.231647255252185])
    asked = replace(case("ReduceLogSumExp", "float64"), shape=(1, 3))
    known = truth(asked)
    x = known.call.inputs[0]
    given = known._replace(call=known.call._replace(inputs=[row[None], *known.call.inputs[1:]]))
    assert x.shape == (1, 3)
    (exact,) = operator("ReduceLogSumExp", 18).evaluate([row[None], np.array([1])], {}, rounded=False)
    given = given._replace(exact=[exact.reshape(known.exact[0].shape)])
    allowed = allowances_by(asked, given, 0)["exact"]
    right = np.full(exact.shape, 7.07290374166080744e-06)
    assert against_exact(right, exact, allowed.reshape(exact.shape)).used.max() <= 1


@pytest.fixture(scope="module")
def onnxruntime():
    families = ["gaussian-30", "gaps"]
    asked = {"ops": ["Softmax", "LogSoftmax", "Sigmoid"], "opsets": [13], "dtypes": ["float32"]}
    return conformance.run("onnxruntime", **asked, families=families, quick=True, bound="exact")


def test_what_the_plain_formula_loses_is_found_in_onnxruntime(onnxruntime):
    """It subtracts the maximum and rounds: tens of ULP, which the strict bound allows."""
    assert not onnxruntime.passed
    found = [record for record in onnxruntime.unexpected if record.op == "Softmax"]
    assert max(record.max_ulp for record in found) > 50
    assert all(record.keeps("strict") for record in found)


def test_a_logarithm_of_0_beside_zero_is_found_in_onnxruntime(onnxruntime):
    found = [record for record in onnxruntime.unexpected if record.op == "LogSoftmax"]
    assert found
    assert all(record.keeps("strict") for record in found)
    assert any(record.worst.actual == 0 and float(record.worst.exact) < 0 for record in found)


def test_the_tail_of_sigmoid_is_found_in_onnxruntime_and_known_by_the_strict_bound(onnxruntime):
    found = [record for record in onnxruntime.cases if record.op == "Sigmoid" and record.outcome == "wrong"]
    assert any(record.worst.actual == 0 and float(record.worst.exact) > 0 for record in found)
    assert all(record.known for record in found if not record.keeps("strict"))
