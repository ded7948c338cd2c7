"""What is measured of two outputs."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from softops.conformance import ulp_distance
from softops.conformance.measure.metrics import compare


def singles(*rows):
    return np.array(rows, np.float32)


def test_equal_outputs():
    report = compare("p", singles([0.25, 0.75]), singles([0.25, 0.75]))
    assert (report.max_ulp, report.mean_ulp, report.p99_ulp) == (0, 0, 0)
    assert (report.max_abs, report.max_rel, report.row_sum_error) == (0, 0, 0)
    assert (report.equal, report.argmax_agreement) == (1, 1)
    assert report.worst_index is report.worst_actual is report.worst_expected is None


def test_the_worst_element_is_found():
    expected = singles([0.25, 0.75], [0.5, 0.5])
    actual = expected.copy()
    actual[1, 0] = np.nextafter(np.float32(0.5), np.float32(0))
    report = compare("p", actual, expected)
    assert (report.max_ulp, report.mean_ulp, report.equal) == (1, 0.25, 0.75)
    assert (report.worst_index, report.worst_expected) == ((1, 0), 0.5)
    assert report.worst_actual == float(actual[1, 0])
    assert report.max_rel == pytest.approx(2**-24)
    assert report.argmax_agreement == 0.5
    assert report.row_sum_error == pytest.approx(2**-25)


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(width=32)), st.integers(0, 11))
def test_numbers_of_any_kind(expected, place):
    actual = expected.copy()
    actual.flat[place] = 1
    report = compare("y", actual, expected)
    assert report.max_ulp == ulp_distance(actual, expected).max()
    assert 0 <= report.equal <= 1
    if report.max_ulp:
        assert report.worst_index == np.unravel_index(place, (3, 4))
        assert report.max_rel > 0
    finite = np.isfinite(expected.flat[place])
    assert np.isfinite(report.max_abs) == finite


def test_infinities_and_nan_that_agree_are_no_difference():
    special = singles([np.nan, np.inf], [-np.inf, 0])
    report = compare("y", special, special)
    assert (report.max_ulp, report.max_abs, report.max_rel) == (0, 0, 0)
    assert compare("y", singles([1, np.inf]), singles([1, -np.inf])).max_rel == np.inf


@pytest.mark.parametrize("rows", [[[1.0, 1.0]], [[-0.5, 1.5]], [[np.nan, 1.0]]])
def test_row_sums_are_those_of_probabilities_only(rows):
    assert compare("y", singles(*rows), singles(*rows)).row_sum_error is None


def test_row_sums_where_a_row_went_wrong():
    good = singles([0.5, 0.5], [0.25, 0.75], [np.nan, np.nan])
    assert compare("p", good, good).row_sum_error == 0
    bad = singles([0.5, 0.5], [0.25, 0.5], [np.nan, np.nan])
    assert compare("p", bad, good).row_sum_error == 0.25
    assert compare("p", singles([0.5, 0.5], [np.nan, 0.5], [0, 0]), good).row_sum_error == np.inf


def test_labels_are_equal_or_not_and_have_no_ulp():
    for left, right in (
        (np.array([1, 2, 3]), np.array([1, 5, 3])),
        (np.array(list("abc")), np.array(list("axc"))),
    ):
        report = compare("label", left, right.astype(object) if right.dtype.kind == "U" else right)
        assert report.equal == pytest.approx(2 / 3)
        assert (report.max_ulp, report.max_rel, report.argmax_agreement) == (None, None, None)
        assert (report.worst_index, report.worst_actual) == ((1,), left[1])
        assert report.ulps.size == 0


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_every_float(dtype):
    expected = np.array([[0.25, 0.75], [0.5, 0.5]], dtype)
    actual = expected.copy()
    actual[0, 0] = np.nextafter(actual[0, 0], dtype(1))
    report = compare("p", actual, expected)
    assert (report.max_ulp, report.worst_index) == (1, (0, 0))
    assert (report.dtype, report.worst_expected) == (np.dtype(dtype).name, 0.25)


def test_shapes_without_rows_or_elements():
    scalar = compare("y", np.float32(1), np.float32(1))
    assert (scalar.max_ulp, scalar.row_sum_error, scalar.argmax_agreement) == (0, None, None)
    empty = compare("y", np.empty((0, 3)), np.empty((0, 3)))
    assert (empty.size, empty.max_ulp, empty.equal) == (0, None, None)


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match=r"p in float64 \(got float32\)"):
        compare("p", singles([1]), np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"p of shape \(2, 1\)"):
        compare("p", singles([1]), singles([1], [1]))
