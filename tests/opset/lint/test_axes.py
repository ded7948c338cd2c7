"""Warnings about the axis: the flatten rule and the batch, each beside the near misses that must be quiet."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import lint


def model(shape, opset, *, op_type="Softmax", before=(), **attributes):
    value = onnx.ValueInfoProto(name="x")
    if shape is not None:
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    given = before[-1].output[0] if before else "x"
    nodes = [*before, helper.make_node(op_type, [given], ["y"], name="head", **attributes)]
    graph = helper.make_graph(nodes, "g", [value], [onnx.ValueInfoProto(name="y")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def codes(proto):
    return [warning.code for warning in lint(proto).warnings]


def the(proto, code):
    (warning,) = [warning for warning in lint(proto).warnings if warning.code == code]
    assert (warning.node, warning.where, warning.severity) == ("head", "main graph", "warning")
    return warning


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("opset", [7, 11, 12])
def test_flatten_rule(op_type, opset):
    warning = the(model(["n", 3, 4, 5], opset, op_type=op_type), "flatten-rule")
    assert "the default axis normalises over dimensions 1 to 3 together (60 elements)" in warning.message
    assert "opset 13" in warning.cure
    assert "softops convert" in warning.cure


def test_flatten_rule_where_the_rank_is_unknown():
    assert "only where it is the last" in the(model(None, 12), "flatten-rule").message
    assert "axis=2" in the(model(None, 12, axis=2), "flatten-rule").message


NO_FLATTEN = {
    "rank 2": model(["n", 3], 12),
    "last axis": model(["n", 3, 4], 12, axis=2),
    "last axis from the end": model(["n", 3, 4], 12, axis=-1),
    "last axis of an unknown rank": model(None, 12, axis=-1),
    "all behind it is of size 1": model(["n", 1000, 1, 1], 9),
    "single rule": model(["n", 3, 4], 13, axis=1),
    "single rule, unknown rank": model(None, 13, axis=1),
    "rank 1": model([3], 12, axis=0),
}


@pytest.mark.parametrize("proto", NO_FLATTEN.values(), ids=NO_FLATTEN.keys())
def test_no_flatten_rule(proto):
    assert codes(proto) == []


def test_flatten_rule_is_what_onnxruntime_computes():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    old, new = (
        onnxruntime.InferenceSession(model(["n", 3, 4], opset, axis=1).SerializeToString()).run(
            None, {"x": x}
        )[0]
        for opset in (12, 13)
    )
    np.testing.assert_allclose(old.reshape(2, 12).sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(new.sum(1), 1, rtol=1e-6)
    assert abs(old - new).max() > 0.1

    # and with sizes of 1 behind the axis, nothing to warn of, the two agree
    narrow = x.reshape(2, 12, 1, 1)
    same = [
        onnxruntime.InferenceSession(model(["n", 12, 1, 1], opset, axis=1).SerializeToString()).run(
            None, {"x": narrow}
        )[0]
        for opset in (12, 13)
    ]
    np.testing.assert_array_equal(*same)


def test_quantized_softmax_says_its_opset_in_an_attribute():
    def quantized(meant):
        inputs = [
            helper.make_tensor_value_info("x", TensorProto.UINT8, [2, 3, 4]),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, []),
            helper.make_tensor_value_info("z", TensorProto.UINT8, []),
        ]
        node = helper.make_node(
            "QLinearSoftmax", ["x", *"szsz"], ["y"], "head", domain="com.microsoft", opset=meant, axis=1
        )
        graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name="y")])
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    assert "opset=13" in the(quantized(12), "flatten-rule").cure
    assert codes(quantized(13)) == []


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [0, -2])
def test_batch_axis(op_type, axis):
    warning = the(model(["batch", 3], 13, op_type=op_type, axis=axis), "batch-axis")
    assert "dimension 0 (batch)" in warning.message


def transpose(*perm):
    return helper.make_node("Transpose", ["x"], ["t"], perm=perm)


BATCH = {
    "fixed sizes": model([8, 3], 13, axis=0),
    "under the flatten rule": model(["n", 3], 12, axis=0),
    "unknown rank": model(None, 13, axis=0),
    "the batch moved to the end": model(["n", 3], 13, before=[transpose(1, 0)], axis=-1),
}
NO_BATCH = {
    "scores of one example against another": model(
        ["n", 3], 13, before=[transpose(1, 0), helper.make_node("MatMul", ["x", "t"], ["m"])], axis=-1
    ),
    "the classes": model(["n", 3], 13),
    "rank 1": model([3], 13, axis=0),
    "rank 1 of any size": model(["n"], 13, axis=0),
    "the classes moved to the front": model(["n", 3], 13, before=[transpose(1, 0)], axis=0),
    "last axis of an unknown rank": model(None, 13),
    "scores of a sequence against itself": model(["n", "n"], 13, axis=-1),
    "an axis that no input begins with": model(["n", "m"], 13, axis=1),
    "another operator": model(["n", 3], 13, op_type="ArgMax", axis=0),
}


@pytest.mark.parametrize("proto", BATCH.values(), ids=BATCH.keys())
def test_batch_axis_wherever_it_lies(proto):
    assert "batch-axis" in codes(proto)


@pytest.mark.parametrize("proto", NO_BATCH.values(), ids=NO_BATCH.keys())
def test_no_batch_axis(proto):
    assert codes(proto) == []


def test_a_symbol_that_names_another_dimension_too_is_no_batch():
    def pair(second):
        proto = model(["s", 3], 13, before=[transpose(1, 0)], axis=1)
        proto.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, second))
        return proto

    assert codes(pair([2, "s"])) == []
    assert codes(pair(["s", 2])) == ["batch-axis"]


def test_over_the_batch_one_example_depends_on_another():
    session = onnxruntime.InferenceSession(model(["n", 3], 13, axis=0).SerializeToString())
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    other = np.concatenate([x[:1], x[1:] + 5])
    assert abs(session.run(None, {"x": x})[0][0] - session.run(None, {"x": other})[0][0]).max() > 0.1


def test_the_body_of_a_scan_sees_no_batch():
    body = helper.make_graph(
        [helper.make_node("Softmax", ["s"], ["p"], axis=0)],
        "body",
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, [3, 4])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [3, 4])],
    )
    scan = helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4])
    graph = helper.make_graph([scan], "g", [x], [onnx.ValueInfoProto(name="y")])
    report = lint(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    assert (len(report.nodes), report.warnings) == (1, ())


def test_symbols_that_shape_inference_makes_up_are_unknown():
    proto = model(["n", 4, "m"], 13, before=[helper.make_node("Flatten", ["x"], ["f"], axis=0)])
    assert lint(proto).nodes[0].shape == (1, None)


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
def test_one_element_alone(op_type):
    (warning,) = [
        w
        for w in lint(model(["n", 3, 1], 13, op_type=op_type, axis=-1)).warnings
        if w.code == "single-element"
    ]
    assert f"gives {0 if op_type == 'LogSoftmax' else 1} whatever" in warning.message
    for shape, opset, axis in (
        (["n", 3, 1], 13, 1),
        (["n", 3, None], 13, -1),
        (["n", 3, 1], 12, 1),
        (None, 13, -1),
    ):
        assert "single-element" not in codes(model(shape, opset, op_type=op_type, axis=axis))
    assert "single-element" in codes(model(["n", 1, 1], 12, op_type=op_type, axis=1))
