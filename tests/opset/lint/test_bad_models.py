"""What is no model, or a broken one: an error, or a report that says what could not be known; never a crash."""

import json
import random
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import ModelError, lint

N = helper.make_node


def model(*nodes, opset=17, inputs=("x",), initializers=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in inputs],
        [onnx.ValueInfoProto(name="y")],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_no_model(tmp_path):
    with pytest.raises(ModelError):
        lint(b"rubbish")
    with pytest.raises(FileNotFoundError):
        lint(tmp_path / "nowhere.onnx")
    with pytest.raises(TypeError):
        lint(3)


def test_an_invalid_model_is_read_as_far_as_it_goes():
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    axes.ClearField("int64_data")  # promises a value that is not there
    for proto, family in [
        (model(N("Softmax", ["y"], ["y"])), 1),
        (model(N("Log", ["b"], ["a"]), N("Identity", ["a"], ["b"])), 0),
        (model(N("Softmax", [], ["y"])), 1),
        (model(N("Softmax", ["x"], [])), 1),
        (model(N("Softmax", ["nowhere"], ["y"])), 1),
        (model(N("Softmax", ["x"], ["y"], axis="last")), 1),
        (model(N("ReduceLogSumExp", ["x", "axes"], ["y"]), opset=18, initializers=[axes]), 1),
        (model(N("Cast", ["x"], ["c"]), N("Log", ["c"], ["y"])), 0),
        (model(N("If", ["x"], ["y"])), 0),
        (model(N("Softmax", ["x"], ["y"]), opset=0), 0),
        (model(N("Softmax", ["x"], ["y"]), opset=1000), 1),
        (model(N("Softmax", ["x"], ["y"]), N("Softmax", ["x"], ["y"])), 1),
    ]:
        assert len(lint(proto).nodes) == family


def test_an_axis_outside_the_rank_is_said():
    (warning,) = lint(model(N("Softmax", ["x"], ["y"], axis=2))).warnings
    assert (warning.code, warning.severity, warning.node) == ("invalid", "error", "y")
    assert "axis=2 on an input of rank 2" in warning.message
    assert "[n, 4]" in warning.cure
    assert lint(model(N("Softmax", ["x"], ["y"], axis=1))).warnings == ()


def invalid(proto):
    return [(w.severity, w.node, w.message) for w in lint(proto).warnings if w.code == "invalid"]


def accepted(proto):
    try:
        onnxruntime.InferenceSession(proto.SerializeToString())
    except Exception:  # by whatever name: it will not run
        return False
    return True


def test_nodes_that_cannot_run_are_errors():
    circle = model(N("Add", ["x", "b"], ["a"]), N("Relu", ["a"], ["b"]), N("Softmax", ["b"], ["y"]))
    ((severity, node, message),) = invalid(circle)
    assert (severity, node in ("a", "b")) == ("error", True)
    assert message.startswith("nodes wait for each other in a circle: ")
    assert set(re.findall("'(.*?)'", message)) == {"a", "b"}
    nowhere = model(N("Softmax", ["nowhere"], ["y"]))
    assert invalid(nowhere) == [("error", "y", "it reads 'nowhere', which nothing makes")]
    for proto in (circle, nowhere):
        assert not accepted(proto)


def test_nodes_out_of_order_are_a_warning():
    """onnx's checker refuses them, onnxruntime does not."""
    proto = model(N("Softmax", ["a"], ["y"]), N("Relu", ["x"], ["a"]))
    proto.graph.output[0].type.CopyFrom(proto.graph.input[0].type)
    with pytest.raises(onnx.checker.ValidationError, match="sorted"):
        onnx.checker.check_model(proto)
    assert accepted(proto)
    ((severity, node, message),) = invalid(proto)
    assert (severity, node) == ("warning", "y")
    assert "reads 'a' before" in message


def test_names_from_around_and_sparse_constants_are_made():
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [2.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [1], [3]), [4])
    branch = helper.make_graph([N("Softmax", ["l"], ["o"])], "b", [], [onnx.ValueInfoProto(name="o")])
    choice = N("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    proto = model(N("Mul", ["x", "w"], ["l"]), choice)
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    proto.graph.sparse_initializer.append(sparse)
    assert invalid(proto) == []
    assert (
        invalid(model(choice, N("Identity", ["x"], ["l"]), N("Cast", ["x"], ["c"], to=9)))[0][0] == "warning"
    )


def test_a_model_of_the_future_is_said_to_be_one():
    newest = onnx.defs.onnx_opset_version()
    (note,) = lint(model(N("Softmax", ["x"], ["y"]), opset=newest + 1)).notes
    assert f"up to {newest}, the model imports {newest + 1}" in note
    assert lint(model(N("Softmax", ["x"], ["y"]), opset=newest)).notes == ()


def test_shapes_that_contradict_each_other_are_said():
    proto = model(N("MatMul", ["x", "w"], ["y"]), N("Softmax", ["y"], ["z"]))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((5, 3), np.float32), "w"))
    report = lint(proto)
    assert [record.works_along for record in report.nodes] == [None]
    assert report.notes


def test_a_model_with_bytes_flipped():
    own = helper.make_function(
        "own", "L", ["a"], ["b"], [N("Log", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    whole = model(N("Softmax", ["x"], ["p"]), N("L", ["p"], ["y"], domain="own"))
    whole.functions.append(own)
    whole.opset_import.append(helper.make_opsetid("own", 1))
    content = whole.SerializeToString()
    chance = random.Random(0)
    read = 0
    for _ in range(300):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] = chance.randrange(256)
        try:
            json.dumps(lint(bytes(flipped)).to_dict())
            read += 1
        except ModelError:
            pass
    assert read > 50


def test_functions_that_multiply_end():
    def doubling(level):
        body = [
            N(f"F{level - 1}", ["a"], ["t"], domain="own"),
            N(f"F{level - 1}", ["t"], ["b"], domain="own"),
        ]
        body = body if level else [N("Sigmoid", ["a"], ["b"])]
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        return helper.make_function("own", f"F{level}", ["a"], ["b"], body, imports)

    proto = model(N("F15", ["x"], ["y"], domain="own"))
    proto.functions.extend(doubling(level) for level in range(16))
    proto.opset_import.append(helper.make_opsetid("own", 1))
    report = lint(proto)
    assert [record.op_type for record in report.nodes] == ["Sigmoid"]
    assert any("calls of functions" in note for note in report.notes)


def test_without_onnxruntime_the_report_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    proto = model(N("Hardmax", ["x"], ["y"]))
    assert any("onnxruntime is not installed" in note for note in lint(proto).notes)


def test_a_branch_that_names_its_result_as_the_node_does():
    """Valid: what a branch makes is its own."""
    branch = helper.make_graph([N("Softmax", ["x"], ["y"])], "b", [], [onnx.ValueInfoProto(name="y")])
    proto = model(
        N("Cast", ["x"], ["c"], to=9), N("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    )
    assert invalid(proto) == []


def test_a_length_of_minus_one_is_not_known():
    proto = model(N("Softmax", ["x"], ["y"]), opset=11)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -1
    (record,) = lint(proto).nodes
    assert (record.shape, record.elements) == (("n", None), None)
