"""What a user gives as an array: to an operator, to the oracle, as a feed of the backend."""

import ml_dtypes
import numpy as np
import onnx
import pytest

from softops.conformance import validate
from softops.export import classifier_head
from softops.opset import FeedError, backend, operator
from softops.opset.oracle import losses, softmax

X = np.array([[0.0, 1.0, 50.0], [3.0, 2.0, 1.0]], np.float32)
MASKED = np.ma.array(X, mask=[[0, 0, 1], [0, 0, 0]])
MASKED_LABELS = np.ma.array([0, 1], mask=[0, 1])


def prepared(text):
    return backend.prepare(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 13]> {text}'))


@pytest.mark.parametrize(
    "call",
    [
        lambda: operator("Softmax", 13).run((MASKED,)),
        lambda: operator("Softmax", 13).evaluate((MASKED,)),
        lambda: operator("SoftmaxCrossEntropyLoss", 13).run((X, MASKED_LABELS)),
        lambda: operator("SoftmaxCrossEntropyLoss", 13).run((X, np.array([0, 1]), MASKED[0])),
        lambda: softmax.softmax(MASKED),
        lambda: losses.cross_entropy(X, MASKED_LABELS),
        lambda: losses.cross_entropy(X, [0, 1], weight=MASKED[0]),
    ],
)
def test_masked_arrays_are_refused(call):
    with pytest.raises(TypeError, match=r"without a mask \(got a masked array\); pass"):
        call()


def test_masked_feeds_are_refused():
    model = prepared("g (float[N, C] x) => (float[N, C] y) { y = Softmax (x) }")
    with pytest.raises(FeedError, match=r"x.* expected an array without a mask \(got a masked array\)"):
        model.run({"x": MASKED})


def test_masked_inputs_and_weights_are_refused():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 13]> g (float[N, C] x) => (float[N, C] y) { y = Softmax (x) }'
    )
    for call in (
        lambda: validate(model, inputs=MASKED),
        lambda: validate(model, inputs={"x": MASKED}),
        lambda: classifier_head(MASKED),
    ):
        with pytest.raises(TypeError, match=r"without a mask \(got a masked array\); pass"):
            call()


@pytest.mark.parametrize("wrong", [[0, 9], "0", 0.5])
def test_the_oracle_ignores_one_integer(wrong):
    with pytest.raises(TypeError, match="one integer as ignore_index"):
        losses.cross_entropy(X, [0, 1], ignore_index=wrong)


def test_tensors_of_bfloat16():
    torch = pytest.importorskip("torch")
    model = prepared("g (bfloat16[N, C] x) => (bfloat16[N, C] y) { y = Softmax (x) }")
    (y,) = model.run({"x": torch.from_numpy(X).bfloat16()})
    assert np.array_equal(y, operator("Softmax", 13).evaluate((X.astype(ml_dtypes.bfloat16),))[0])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_labels_out_of_a_transpose(reduction):
    """A Transpose is a view in Fortran order: each label belongs to its own row all the same."""
    y = "float[N, D] y" if reduction == "none" else "float y"
    model = prepared(
        f"g (float[N, C, D] x, int64[D, N] turned) => ({y}) {{ labels = Transpose (turned) "
        f'y = SoftmaxCrossEntropyLoss <reduction = "{reduction}", ignore_index = -1> (x, labels) }}'
    )
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((2, 4, 3)).astype(np.float32), np.array([[0, 3, -1], [2, 1, 0]])
    (loss,) = model.run([x, np.ascontiguousarray(labels.T)])
    p = np.exp(x.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    each = np.array(
        [[-np.log(p[i, c, j]) if c >= 0 else 0 for j, c in enumerate(row)] for i, row in enumerate(labels)]
    )
    expected = {"none": each, "mean": each.sum() / 5, "sum": each.sum()}[reduction]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
