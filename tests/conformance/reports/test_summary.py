"""What all forms of a report share: statuses, kinds of failures, and numbers in hexadecimal."""

import dataclasses
import math
from fractions import Fraction

import pytest
from findings import WORST, case, findings, record, wrong

from softops.conformance.reports.summary import (
    cells,
    columns,
    counted,
    distance,
    exact_hexadecimal,
    gravest,
    hexadecimal,
    histograms,
    kinds,
    matrix_of,
    tolerances,
)


def test_a_cell_has_the_gravest_status_of_its_cases():
    assert gravest([record("right"), wrong(), record("unsupported")]) == "wrong"
    assert gravest([record("right"), wrong(known="...")]) == "known"
    assert gravest([record("right"), record("unsupported")]) == "right"
    # What is listed as known and came out right is right.
    assert gravest([record("right", known="...")]) == "right"


def test_every_case_is_in_one_cell_and_counted_once():
    report = findings()
    matrix = cells(report)
    assert (
        sum(len(cell.records) for cell in matrix) == len(report.cases) == sum(counted(report.cases).values())
    )
    assert columns(matrix) == ["bfloat16", "float16", "float32", "float64", "int64"]


def test_kinds_put_the_smallest_case_first_and_have_folders_of_their_own():
    found = kinds(findings())
    softmax = next(kind for kind in found if kind.slug == "softmax-float32-wrong-ulp")
    assert [r.shape for r in softmax.records] == [(3,), (2, 3)]
    assert softmax.spread()["axis"] == ["0", "1"]
    assert len({kind.slug for kind in found}) == len(found) == 5
    assert [kind.smallest.outcome for kind in found] == [
        "harness failed",
        "crashed",
        "hung",
        "wrong",
        "wrong",
    ]


def test_an_empty_array_shows_the_least():
    shapes = [(0, 2), (3,), (1,), (2, 1)]
    (kind,) = kinds(findings(cases=tuple(wrong(case(shape=shape)) for shape in shapes)))
    assert [record.shape for record in kind.records] == [(1,), (2, 1), (3,), (0, 2)]


def test_a_folder_name_stays_a_name():
    odd = wrong(case(op="../../etc", dtype="a/b"))
    (kind,) = kinds(findings(cases=(odd,)))
    assert kind.slug == "etc-a-b-wrong-ulp"


def test_known_and_new_failures_are_kept_apart():
    found = kinds(
        findings(cases=(wrong(), wrong(known="https://example.org/1"), wrong(known="not reported yet")))
    )
    assert len({kind.slug for kind in found}) == 3


def test_histograms_add_up():
    found = histograms(findings(cases=(findings().cases[0],) * 2))
    assert found == {("Softmax", "float32"): {0.5: 10, 1.0: 2, 2.0**40: 4, math.inf: 2}}


@pytest.mark.parametrize(
    "value", [0.1, -1.5, 5e-324, 1.7976931348623157e308, 0.0, -0.0, 1.0, 3, -255, 2**-149]
)
def test_hexadecimal_is_without_loss(value):
    text = hexadecimal(value)
    again = int(text, 16) if isinstance(value, int) else float.fromhex(text)
    assert (again, math.copysign(1, again)) == (value, math.copysign(1, value))


@pytest.mark.parametrize(
    "digits", ["3.33333333333333333333e-1", "-1.5e0", "4.9e-324", "1.0", "9.99999999999999999999e99"]
)
def test_exact_digits_in_hexadecimal(digits):
    mantissa, exponent = exact_hexadecimal(digits).split("p")
    whole, _, fraction = mantissa.lstrip("-").removeprefix("0x").partition(".")
    value = Fraction(int(whole + fraction, 16), 16 ** len(fraction)) * Fraction(2) ** int(exponent)
    # 64 bits behind the point are rounded, half of their last is the error.
    assert abs(value - abs(Fraction(digits))) <= Fraction(2) ** (int(exponent) - 65)


def test_what_has_no_hexadecimal_form():
    assert [exact_hexadecimal(text) for text in ("nan", "inf", "-inf", "cat", "0.0")] == [
        *("nan", "inf", "-inf", "\N{EN DASH}", "0x0p+0")
    ]
    assert hexadecimal(math.inf) == "inf"
    assert hexadecimal("cat") == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("error", "bound", "said"),
    [
        (math.inf, 1.159e-69, "a NaN or an infinity on one side alone"),
        (12.0, 1.159e-69, "12 ULP away, nothing allowed"),
        (12.5, 9.5, "12.5 ULP away, 9.5 allowed"),
        (None, None, ""),
    ],
)
def test_how_far_off_the_worst_element_is(error, bound, said):
    assert distance(dataclasses.replace(WORST, error_ulp=error, bound_ulp=bound)) == said


def chips_of(*cases):
    """(operator, opset): the dtypes of each chip and its counts."""
    rows = matrix_of(findings(cases=cases)).rows
    return {
        (row.name, opset): [(chip.dtypes, chip.counts) for chip in chips]
        for row in rows
        for opset, chips in row.versions.items()
    }


def test_the_matrix_has_a_row_for_each_operator_and_tells_all_counts():
    f64, old = case(dtype="float64"), case(opset=11)
    found = chips_of(wrong(), record("crashed"), record("right"), record("right", old), wrong(f64))
    assert found == {
        ("Softmax", 13): [
            (("float32",), {"crashed": 1, "wrong": 1, "right": 1}),
            (("float64",), {"wrong": 1}),
        ],
        ("Softmax", 11): [(("float32",), {"right": 1})],
    }


def test_dtypes_that_say_the_same_are_one():
    f64 = case(dtype="float64")
    assert chips_of(record("right"), record("right", f64), record("unsupported")) == {
        ("Softmax", 13): [(("float32", "float64"), {"right": 2, "unsupported": 1})]
    }


def test_operators_that_are_unsupported_throughout_are_one_line():
    other = case(op="Hardmax")
    found = matrix_of(findings(cases=(record("right"), record("unsupported", other))))
    assert [row.name for row in found.rows] == ["Softmax"]
    assert list(found.unsupported) == ["Hardmax"]


@pytest.mark.parametrize(
    ("cases", "verdict"),
    [
        ([record("right")], "all right"),
        ([record("right"), wrong(known="https://example.org/7")], "no new deviations (1 known)"),
        ([wrong(), record("crashed")], "1 wrong, 1 crashed"),
        ([wrong(), wrong(known="not reported yet")], "1 wrong (1 known)"),
        ([record("unsupported")], "nothing was compared"),
    ],
)
def test_the_verdict_in_words(cases, verdict):
    assert findings(cases=tuple(cases)).verdict == verdict


def test_what_a_usual_tolerance_hides_is_said():
    off = {"bound_used": 1e5, "smallest_atol": 1e-7, "smallest_rtol": 1.0, "decided_by_atol": 0.8}
    text = tolerances(wrong(**off))
    assert "an absolute tolerance of 1e-07, or a relative one of 1;" in text
    assert "80 % of its elements are below 1e-5" in text
    assert "relative" not in tolerances(wrong(**off | {"smallest_rtol": math.inf}))
    assert tolerances(wrong(**off | {"smallest_atol": math.inf})) == "No tolerance would have hidden it."
    # Where no element is beyond its bound, as with bits that differ from run to run, tolerances have no say.
    assert tolerances(wrong(**off | {"bound_used": 0.5})) == ""
    assert tolerances(wrong()) == tolerances(record("crashed")) == ""
