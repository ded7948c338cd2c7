"""The oracle's float64 results are the exact values rounded once: checked with decimal, which shares no code."""

import dataclasses
from decimal import Decimal, localcontext

import numpy as np
import pytest

from softops.opset import operator, reference
from softops.opset.oracle.rounding import rounded

RANDOM = np.random.default_rng(8)
ROWS = [RANDOM.standard_normal(40) * sigma for sigma in (1e-9, 1, 30, 300)]
ROWS += [
    np.array([0.0, -0.1, -745.2, -800.0, -np.inf]),
    np.array([-np.log(2), -np.log(2)]),
    np.array([5e-324, -1e4]),
]
INF, NAN = np.inf, np.nan


def exactly(row):
    """exp of each number over exp of the largest, as decimals of 120 digits, and the largest."""
    top = Decimal(float(row.max()))
    return [(Decimal(float(x)) - top).exp() for x in row], top


def assert_rounded_once(actual, exact):
    """float(Decimal) rounds to nearest from all digits."""
    assert actual.dtype == np.float64
    np.testing.assert_array_equal(actual, [float(value) for value in exact])


@pytest.fixture(autouse=True)
def _digits():
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 400, -(10**7), 10**7
        yield


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_rows(row):
    terms, top = exactly(row)
    total = sum(terms)
    assert_rounded_once(operator("Softmax", 13).evaluate([row])[0], [term / total for term in terms])
    lse = top + total.ln()
    finite = np.isfinite(row)
    (log,) = operator("LogSoftmax", 13).evaluate([row])
    assert_rounded_once(log[finite], [Decimal(float(x)) - lse for x in row[finite]])
    assert (log[~finite] == -INF).all()
    (reduced,) = operator("ReduceLogSumExp", 18).evaluate([row], {"keepdims": 0})
    assert_rounded_once(reduced[None], [lse])


def test_elements():
    x = np.concatenate([RANDOM.standard_normal(60) * 20, [-745.0, -709.5, 0.0, 5e-324, -36.7, 36.7, 709.0]])
    wide = [Decimal(float(value)) for value in x]
    assert_rounded_once(operator("Sigmoid", 13).evaluate([x])[0], [1 / (1 + (-v).exp()) for v in wide])
    assert_rounded_once(operator("Softplus", 22).evaluate([x])[0], [(1 + v.exp()).ln() for v in wide])


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_losses(reduction):
    x, labels, weights = (
        RANDOM.standard_normal((6, 5)) * 9,
        np.array([0, 4, 2, 1, 2, 3]),
        RANDOM.uniform(0.5, 2, 5),
    )
    each, total = [], Decimal(0)
    for row, label in zip(x, labels, strict=True):
        if label == 3:
            each.append(Decimal(0))
            continue
        terms, top = exactly(row)
        weight = Decimal(float(weights[label]))
        total += weight
        each.append((top + sum(terms).ln() - Decimal(float(row[label]))) * weight)
    exact = {"none": each, "sum": [sum(each)], "mean": [sum(each) / total]}[reduction]
    attributes = {"reduction": reduction, "ignore_index": 3}
    loss, log_prob = operator("SoftmaxCrossEntropyLoss", 13).evaluate(
        [x, labels, weights], attributes, outputs=2
    )
    assert_rounded_once(np.atleast_1d(loss), exact)
    np.testing.assert_array_equal(log_prob, operator("LogSoftmax", 13).evaluate([x], {"axis": 1})[0])
    picked = -x[np.arange(6), labels] * np.where(labels == 3, 0, weights[labels])
    (nll,) = operator("NegativeLogLikelihoodLoss", 22).evaluate([x, labels, weights], attributes)
    if reduction == "none":
        np.testing.assert_array_equal(nll, picked)
    else:
        np.testing.assert_allclose(
            nll, picked.sum() / (float(total) if reduction == "mean" else 1), rtol=1e-14
        )


@pytest.mark.parametrize(
    "row",
    [(1.0, NAN), (1.0, INF), (-INF, -INF), (-INF, 0.0), (INF, -INF), (1e308, -1e308), (NAN, INF)],
    ids=str,
)
def test_special_values_are_those_of_extended_precision(row):
    x = np.array([row])
    for op_type, attributes in [
        ("Softmax", {}),
        ("LogSoftmax", {}),
        ("ReduceLogSumExp", {}),
        ("Sigmoid", {}),
        ("Softplus", {}),
    ]:
        exact, wide = (
            operator(op_type, 18 if op_type != "Softplus" else 22).evaluate([x], attributes, rounded=r)[0]
            for r in (True, False)
        )
        np.testing.assert_array_equal(exact, rounded(wide, np.float64), err_msg=op_type)
        assert exact.shape == wide.shape


def test_shapes_axes_and_empty_arrays():
    x = RANDOM.standard_normal((2, 3, 4))
    for op_type, opset, given in [
        ("Softmax", 11, {"axis": 1}),
        ("Softmax", 13, {"axis": 0}),
        ("ReduceLogSumExp", 13, {"axes": [0, 2], "keepdims": 0}),
        ("ReduceLogSumExp", 13, {}),
    ]:
        for array in (x, x[:, :0], x[:0]):
            exact, wide = (
                operator(op_type, opset).evaluate([array], given, rounded=r)[0] for r in (True, False)
            )
            np.testing.assert_allclose(exact, wide.astype(np.float64), rtol=1e-15)
            assert exact.shape == wide.shape


def test_a_node_and_an_operator_by_name():
    import onnx

    node = onnx.helper.make_node("Softmax", ["x"], ["y"], axis=0)
    x = RANDOM.standard_normal((3, 2)).astype(np.float32)
    (y,) = reference.evaluate(node, [x], 13)
    (same,) = reference.evaluate("Softmax", [x], 13, attributes={"axis": 0})
    (wide,) = reference.evaluate(node, [x], 13, rounded=False)
    assert y.dtype == np.float32
    assert wide.dtype == np.longdouble
    np.testing.assert_array_equal(y, same)
    np.testing.assert_array_equal(y, rounded(wide, np.float32))
    top = onnx.helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=0)
    assert len(reference.evaluate(top, [x, np.array([2])], 24)) == 2
    with pytest.raises(TypeError, match="a node alone"):
        reference.evaluate(node, [x], 13, attributes={"axis": 1})
    (label, _) = reference.evaluate(
        "LinearClassifier",
        [x],
        1,
        domain="ai.onnx.ml",
        outputs=2,
        attributes={"coefficients": [1.0, 2], "classlabels_ints": [3, 4]},
    )
    assert label.dtype == np.int64


def test_only_what_float64_does_not_hold_twice_over_is_worked_out_in_all_digits():
    asked, own = [], operator("ReduceLogSumExp", 18)

    def counted(row, inputs, *given):
        asked.append(inputs[0].dtype.name)
        return own.reference_float64(row, inputs, *given)

    row = dataclasses.replace(own, reference_float64=counted)
    for dtype in (np.float16, np.float32, np.float64, np.int32):
        row.evaluate([np.ones((2, 3), dtype)])
    assert asked == ["float64", "int32"]
