"""A case built: the same whenever it is built, in whichever graph, and valid."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from softops.conformance.cases.build import built, call_of, material
from softops.conformance.cases.case import Case
from softops.conformance.cases.families import FAMILIES, rows_of
from softops.conformance.cases.graphs import FORMS
from softops.opset.backend import prepare

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(5, 13, 3), family="gaussian-3")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_computes_the_same(form):
    case = replace(CASE, form=form)
    model, feeds = built(case)
    onnx.checker.check_model(model, full_check=True)
    (y,) = prepare(model).run(feeds)
    np.testing.assert_allclose(y, material(case).expected["output"], rtol=1e-6)


def test_the_inputs_are_those_of_the_name_whatever_the_version_and_graph():
    (x,) = call_of(CASE).inputs
    for other in (replace(CASE, opset=17), replace(CASE, form="chained"), replace(CASE, setting="threads=2")):
        assert call_of(other).inputs[0].tobytes() == x.tobytes()
    assert call_of(replace(CASE, seed=1)).inputs[0].tobytes() != x.tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_rows_of_any_length_in_its_dtypes(family):
    dtypes = (
        "float16",
        "bfloat16",
        "float32",
        "float64",
        *(("int8", "uint64") if FAMILIES[family].integers else ()),
    )
    for dtype in dtypes:
        for shape in ((13, 37), (3, 1), (2, 0), (0, 5)):
            made = rows_of(family, np.random.default_rng(0), *shape, dtype)
            assert (made.shape, made.dtype.name) == (shape, dtype)


@pytest.mark.parametrize("op", ["QLinearSoftmax", "QLinearSigmoid"])
def test_steps_of_integers_are_positive_and_coarse_ones_larger(op):
    case = Case(
        op=op, domain="com.microsoft", opset=1, dtype="uint8", shape=(13, 37), family="gaussian-3", axis=1
    )
    _, x_scale, _, y_scale, _ = call_of(case).inputs
    _, coarse_x, _, coarse_y, _ = call_of(replace(case, variant="coarse")).inputs
    assert 0 < x_scale < coarse_x
    assert 0 < y_scale < coarse_y < 1  # of probabilities


@pytest.mark.parametrize("sigma", ["0.01", "1", "3", "30", "1000"])
def test_gaussian_families_have_the_deviation_in_their_name(sigma):
    rows = rows_of(f"gaussian-{sigma}", np.random.default_rng(0), 100, 1000, "float64")
    assert rows.std() == pytest.approx(float(sigma), rel=0.02)
    assert abs(rows.mean()) < 0.02 * float(sigma)


@pytest.mark.parametrize(("variant", "length", "k"), [("", 9, 5), ("", 3, 3), ("k=1", 9, 1), ("k=all", 9, 9)])
@pytest.mark.parametrize("opset", [1, 11])
def test_how_many_of_the_largest_are_asked_for(opset, variant, length, k):
    case = Case(
        op="TopK",
        opset=opset,
        dtype="float32",
        axis=1,
        shape=(2, length),
        family="gaussian-3",
        variant=variant,
    )
    values, indices = material(case).expected.values()
    assert values.shape == indices.shape == (2, k)


def test_rows_of_gaps_have_one_winner_ahead_by_part_of_a_spacing_up_to_ten_thousand():
    for dtype, spacing in (("float32", 2.0**-23), ("float64", 2.0**-52)):
        rows = np.sort(
            rows_of("gaps", np.random.default_rng(0), 13, 100, dtype).astype(np.longdouble), axis=1
        )
        ahead = (rows[:, -1] - rows[:, -2]).astype(float)
        assert ahead.min() == spacing / 16
        assert ahead.max() == pytest.approx(1e4)
        assert (np.diff(np.sort(ahead)) > 0).all()  # each row has another gap


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match="a family among"):
        built(replace(CASE, family="no such"))
    with pytest.raises(ValueError, match="a form among"):
        built(replace(CASE, form="no such"))
