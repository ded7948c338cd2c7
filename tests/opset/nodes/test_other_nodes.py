"""Nodes of other operators in forms that onnx's own implementation gets wrong or lacks, beside onnxruntime."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError
from softops.opset.backend import prepare, run_node

RANDOM = np.random.default_rng(11)
IMAGE = RANDOM.standard_normal((2, 4, 7, 6)).astype(np.float32)
TIES = RANDOM.integers(0, 3, (2, 3, 5, 5))
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

PADDING = [
    {},
    {"pads": [0, 1, 2, 0]},
    {"auto_pad": "VALID", "strides": [2, 1]},
    *({"auto_pad": f"SAME_{end}", "strides": list(strides)}
      for end, strides in itertools.product(("UPPER", "LOWER"), ((1, 1), (2, 2), (3, 2)))),
]  # fmt: skip


@pytest.fixture
def assert_as_onnxruntime(onnxruntime_of):
    def check(op_type, opset, inputs, attributes, outputs=1):
        names = [f"x{k}" for k in range(len(inputs))]
        node = onnx.helper.make_node(op_type, names, [f"y{k}" for k in range(outputs)], **attributes)
        actual = run_node(node, list(inputs), opset_version=opset)
        expected = onnxruntime_of(op_type, opset, inputs, attributes, outputs=outputs)
        for ours, theirs in zip(actual, expected, strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # float32, sums in another order

    return check


@pytest.mark.parametrize("padding", PADDING, ids=str)
def test_windows(padding, assert_as_onnxruntime):
    weights = RANDOM.standard_normal((6, 2, 3, 2)).astype(np.float32)
    assert_as_onnxruntime("Conv", 11, (IMAGE, weights), {**padding, "group": 2})
    window = {**padding, "kernel_shape": [3, 2]}
    for opset in (7, 11, 19):
        for counted in (0, 1):
            assert_as_onnxruntime("AveragePool", opset, (IMAGE,), {**window, "count_include_pad": counted})
    for opset in (8, 10, 12):
        assert_as_onnxruntime("MaxPool", opset, (IMAGE,), window)
        assert_as_onnxruntime("MaxPool", opset, (IMAGE,), window, outputs=2)


def test_indices_of_the_largest(assert_as_onnxruntime):
    for attributes in ({}, {"pads": [1, 1, 1, 1]}, {"dilations": [2, 1]}):
        for dtype in (np.float32, np.int8):
            window = {**attributes, "kernel_shape": [2, 2]}
            assert_as_onnxruntime("MaxPool", 12, (TIES.astype(dtype),), window, outputs=2)


def test_the_first_pooling_counts_no_pads():
    # ai.onnx@7::AveragePool is the first to ask whether pads count, and its default is the meaning before
    node = onnx.helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], auto_pad="SAME_UPPER")
    (y,) = run_node(node, [np.ones((1, 1, 2, 2), np.float32)], opset_version=1)
    assert y.tolist() == [[[[1, 1], [1, 1]]]]


STARTS, ENDS = (-9, -4, -1, 0, 2, 3, 9, -(2**63)), (-9, -5, -4, -1, 0, 2, 9, -(2**63))


def test_slices_backwards_from_beyond_the_ends(assert_as_onnxruntime):
    for start, end, step in itertools.product(STARTS, ENDS, (1, -1, -3)):
        inputs = (A, *(np.int64([number]) for number in (start, end, 2, step)))
        assert_as_onnxruntime("Slice", 13, inputs, {})


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("opset", [10, 13])
def test_dequantized(dtype, opset, assert_as_onnxruntime):
    x, half = A.astype(dtype), np.array(0.5, np.float32)
    assert_as_onnxruntime("DequantizeLinear", opset, (x, half), {})
    assert_as_onnxruntime("DequantizeLinear", opset, (x, half, np.array(7, dtype)), {})
    if opset == 13:
        for axis, length in ((1, 3), (-1, 4)):
            more = (np.arange(1, length + 1, dtype=np.float32) / 4, np.arange(length).astype(dtype))
            assert_as_onnxruntime("DequantizeLinear", opset, (x, *more), {"axis": axis})
            assert_as_onnxruntime("DequantizeLinear", opset, (x, more[0]), {"axis": axis})


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [[1, 1, 2, 3], [1, 1, 1.5, 1.75]])
def test_enlarged(mode, scales, assert_as_onnxruntime):
    factors = np.float32(scales)
    assert_as_onnxruntime("Upsample", 7, (IMAGE,), {"mode": mode, "scales": factors.tolist()})
    assert_as_onnxruntime("Upsample", 9, (IMAGE, factors), {"mode": mode})
    assert_as_onnxruntime("Resize", 10, (IMAGE, factors), {"mode": mode})


def test_made_smaller_before_opset_11(assert_as_onnxruntime):
    factors = np.float32([1, 1, 0.5, 0.75])
    assert_as_onnxruntime("Resize", 10, (IMAGE, factors), {"mode": "linear"})
    node = onnx.helper.make_node("Resize", ["x", "s"], ["y"])
    with pytest.raises(ModelError, match="which number is the nearest"):
        run_node(node, [IMAGE, factors], opset_version=10)


def test_powers_before_opset_7():
    # ai.onnx@1::Pow broadcasts by attributes, as Add does
    node = onnx.helper.make_node("Pow", ["x", "e"], ["y"], broadcast=1, axis=0)
    (y,) = run_node(node, [A, np.float32([1, 2])], opset_version=1)
    np.testing.assert_array_equal(y, A ** np.float32([1, 2])[:, None, None])


@pytest.mark.parametrize(
    ("labels", "attribute", "key"),
    [([3, 5], "classlabels_int64s", "int64"), (["no", "yes"], "classlabels_strings", "string")],
)
def test_maps_by_label(labels, attribute, key):
    number = onnx.TensorProto.DataType.Value(key.upper())
    numbers = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    maps = onnx.helper.make_sequence_type_proto(onnx.helper.make_map_type_proto(number, numbers))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", **{attribute: labels})],
        "maps",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", "c"])],
        [onnx.helper.make_value_info("y", maps)],
    )
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)
    rep, x = prepare(model), np.float32([[0.25, 0.75], [1, 0]])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert rep.run([x]) == session.run(None, {"x": x})
    assert rep.outputs[0].type == f"seq(map({key},tensor(float)))"
    with pytest.raises(ModelError, match="2 class labels ask for rows of as many numbers"):
        rep.run([np.zeros((1, 3), np.float32)])
