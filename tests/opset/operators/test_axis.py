"""The axis rules, against onnxruntime and against the schemas' texts."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import operator
from softops.opset.backend import prepare
from softops.opset.operators.axis import along

OPERATORS = ["Softmax", "LogSoftmax", "Hardmax"]
SHAPE = (2, 3, 4, 5)  # all lengths differ: a wrong axis shows


def onnxruntime_output(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("op_type", OPERATORS)
@pytest.mark.parametrize("opset", [1, 7, 11, 12, 13, 21])
def test_agrees_with_onnxruntime(op_type, opset, model_of):
    for rank in (2, 3, 4):
        x = np.random.default_rng(rank).standard_normal(SHAPE[:rank]).astype(np.float32)
        negative = range(-rank, 0) if opset >= 11 else ()
        for axis in (None, *negative, *range(rank)):
            attributes = {} if axis is None else {"axis": axis}
            model = model_of(op_type, opset, rank, **attributes)
            expected = onnxruntime_output(model, x)
            # onnxruntime's LogSoftmax is off by an ULP of the logits, however small the result. Another axis
            # would move the values by a tenth.
            np.testing.assert_allclose(
                prepare(model).run([x])[0], expected, rtol=2e-6, atol=5e-7, err_msg=f"{axis=}"
            )
            exact = operator(op_type, opset).exact(x, axis, dtype=np.float32)
            np.testing.assert_allclose(exact, expected, rtol=2e-6, atol=5e-7, err_msg=f"{axis=}")


@pytest.mark.parametrize("op_type", OPERATORS)
@pytest.mark.parametrize("opset", [1, 7])
def test_negative_axis_before_opset_11_counts_from_the_end(op_type, opset, model_of):
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    for axis in range(-4, 0):
        expected = onnxruntime_output(model_of(op_type, opset, 4, axis=axis), x)
        np.testing.assert_allclose(operator(op_type, opset).compute(x, axis), expected, rtol=2e-6, atol=5e-7)


@pytest.mark.parametrize("opset", [1, 11, 13])
@pytest.mark.parametrize("op_type", OPERATORS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((3, 4), 2), ((3, 4), -3), ((3, 4), 2**62), ((3,), 1), ((), 0), ((), -1), ((), None)],
)
def test_axis_out_of_range(op_type, opset, shape, axis):
    row = operator(op_type, opset)
    for method in (row.compute, row.exact):
        with pytest.raises(np.exceptions.AxisError, match=rf"{op_type}-{opset}: expected an") as caught:
            method(np.zeros(shape, np.float32), axis)
        assert caught.value.ndim == len(shape)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize(("rank", "axis"), [(0, 0), (0, -1), (2, 2), (2, -3)])
def test_shape_inference_rejects_the_same_axes(opset, rank, axis, model_of):
    with pytest.raises(onnx.shape_inference.InferenceError):
        onnx.shape_inference.infer_shapes(model_of("Softmax", opset, rank, axis=axis), strict_mode=True)


def test_default_axis_needs_rank_2_before_opset_13(model_of):
    x = np.zeros(3, np.float32)
    for opset in (1, 11):
        with pytest.raises(np.exceptions.AxisError, match="axis 1 is out of bounds"):
            operator("Softmax", opset).compute(x)
    with pytest.raises(onnx.shape_inference.InferenceError):
        onnx.shape_inference.infer_shapes(model_of("Softmax", 11, 1), strict_mode=True)
    assert operator("Softmax", 13).compute(x).sum() == pytest.approx(1)


def test_axis_0_is_not_the_default():
    x = np.zeros((4, 2), np.float32)
    assert operator("Softmax", 13).compute(x, 0)[0, 0] == pytest.approx(1 / 4)
    assert operator("Softmax", 13).compute(x)[0, 0] == pytest.approx(1 / 2)
    assert operator("Softmax", 11).compute(x, 0)[0, 0] == pytest.approx(1 / 8)


@pytest.mark.parametrize("opset", [1, 11, 13])
@pytest.mark.parametrize("op_type", OPERATORS)
def test_empty_arrays_stay_empty(op_type, opset):
    row = operator(op_type, opset)
    for shape in [(0, 3), (3, 0), (2, 0, 3), (0, 0)]:
        x = np.zeros(shape, np.float32)
        for axis in (None, *range(-len(shape), len(shape))):
            assert row.compute(x, axis).shape == shape
            assert row.exact(x, axis).shape == shape


def test_flatten_works_on_a_view_where_it_can():
    seen = []

    def spy(x, axis):
        seen.append((x, axis))
        return x

    x = np.zeros(SHAPE)
    transposed = x.transpose(1, 0, 2, 3)  # leading dimensions in any order, trailing ones in place
    for rule, array, axis, shape in [
        ("flatten", x, 0, (120,)),
        ("flatten", x, -3, (2, 60)),
        ("flatten", transposed, 2, (3, 2, 20)),
        ("flatten", x.T, 3, (5, 4, 3, 2)),
        ("single", x.T, 1, (5, 4, 3, 2)),
    ]:
        result = along(rule, spy, array, axis)
        given, _ = seen.pop()
        assert given.shape == shape
        assert np.shares_memory(given, x)
        assert result.shape == array.shape
    assert along("flatten", spy, x.T, 1).shape == x.T.shape  # has to copy, and is right all the same
