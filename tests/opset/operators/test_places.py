"""Every operator, in every dtype, has all its places: kernel, oracle, probe, cases with their bound, and its page."""

from pathlib import Path

import numpy as np
import pytest

from softops.conformance.cases.build import truth
from softops.conformance.cases.grid import cases
from softops.conformance.verdicts.rules import allowance
from softops.opset import operators
from softops.opset.operators.table import unquantized

ROOT = Path(__file__).parents[3]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # tools is no part of the installed package
    from tools.coverage_probes import probe

NAMES = list(dict.fromkeys((row.domain, row.op_type) for row in operators()))
operator = pytest.mark.parametrize(("domain", "op_type"), NAMES, ids=lambda name: name or "ai.onnx")


def rows_of(domain, op_type):
    return [row for row in operators() if (row.domain, row.op_type) == (domain, op_type)]


@operator
def test_kernel_and_oracle_take_the_probe(domain, op_type):
    """With the same shapes and dtypes; an operator without a probe of its own takes a plain array of rank 3."""
    for row in rows_of(domain, op_type):
        for dtype in row.dtypes:
            call = probe(row, dtype)
            for ours, exact in zip(
                row.run(call.inputs, call.attributes),
                row.evaluate(call.inputs, call.attributes),
                strict=True,
            ):
                assert (ours.dtype, ours.shape) == (exact.dtype, exact.shape), (row.name, dtype)


@operator
def test_numpys_error_state_is_not_consulted(domain, op_type):
    """Neither by the kernel nor by the oracle, on numbers that overflow, underflow and are none."""
    row = rows_of(domain, op_type)[-1]
    for dtype in row.dtypes:
        call = probe(row, dtype)
        inputs = list(call.inputs)
        if inputs[0].dtype.kind == "f" and op_type != "Multinomial":  # which refuses them
            inputs[0] = inputs[0].copy()
            largest = np.finfo(inputs[0].dtype).max
            inputs[0].flat[:6] = np.array([largest, -largest, np.nan, np.inf, -np.inf, 0])[: inputs[0].size]
        for compute in (row.run, row.evaluate):
            with np.errstate(all="ignore"):
                expected = compute(inputs, call.attributes)
            with np.errstate(all="raise"):
                actual = compute(inputs, call.attributes)
            for ours, same in zip(actual, expected, strict=True):
                np.testing.assert_array_equal(ours, same, f"{row.name} {dtype}")


@operator
def test_results_for_float64_and_integers_are_exact(domain, op_type):
    """By arbitrary precision; of operators whose outputs round nothing, or are said to be extended, by the oracle."""
    extended = {"Attention", "LinearClassifier", "Normalizer"}
    for row in rows_of(domain, op_type):
        call = probe(row, row.dtypes[0])
        unrounded = row.evaluate(call.inputs, call.attributes, rounded=False)
        rounds = any(value.dtype == np.longdouble for value in unrounded) and op_type != "Hardmax"
        if rounds and unquantized(op_type, domain) == op_type and op_type not in extended:
            assert row.reference_float64 is not None


@operator
def test_the_suite_has_cases_and_bounds(domain, op_type):
    newest = rows_of(domain, op_type)[-1]
    name = f"{domain or 'ai.onnx'}.{op_type}"
    for dtype in newest.dtypes:
        case = cases(ops=[name], opsets=[newest.since_version], dtypes=[dtype])[0]
        found = truth(case)
        for place, value in enumerate(found.exact):
            allowed = allowance(case, found, place)
            assert (allowed is None) == (value.dtype != np.longdouble), (
                "exact values have no bound, others have"
            )


@operator
def test_the_page_says_what_it_does(domain, op_type):
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert f"[{domain + '.' if domain else ''}{op_type}](" in text, (
        "generate it: docs/contributing.md says how"
    )
