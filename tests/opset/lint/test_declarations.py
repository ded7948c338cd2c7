"""Declarations that contradict the operators, names that two nodes have, lengths below 0."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from softops.opset import convert_version, lint

N = helper.make_node


def value(name, shape=("N", 3), dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(*nodes, shape=("N", 3), output=None, inner=(), opset=13, **constants):
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(
        nodes, "g", [value("x", shape)], [output or value("y")], held, value_info=list(inner)
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def found(proto, code):
    return [warning for warning in lint(proto).warnings if warning.code == code]


def loads(proto):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        return False
    return True


def in_branches(*names):
    """An If with two nodes in one branch and one in the other; names of these and of the If."""
    then = helper.make_graph(
        [N("Relu", ["x"], ["h"], name=names[0]), N("Softmax", ["h"], ["a"], name=names[1])],
        "then",
        [],
        [value("a")],
    )
    other = helper.make_graph([N("Relu", ["x"], ["b"], name=names[2])], "else", [], [value("b")])
    proto = model(N("If", ["c"], ["y"], name=names[3], then_branch=then, else_branch=other))
    proto.graph.input.append(value("c", [], TensorProto.BOOL))
    return proto


@pytest.mark.parametrize("names", ["aabc", "abac", "abcc", "abcb", "abca", ["", "", "", ""]], ids=str)
def test_two_nodes_of_a_name_where_onnxruntime_minds(names):
    """In one graph, that is; the same name in another graph is another one."""
    warnings = found(in_branches(*names), "duplicate-name")
    assert bool(warnings) == (not loads(in_branches(*names)))
    assert all(warning.severity == "error" and "'a'" in warning.message for warning in warnings)


def test_constants_of_a_name():
    """onnxruntime takes them for initializers."""
    held = [numpy_helper.from_array(np.float32(number)) for number in (1, 2)]
    constants = [N("Constant", [], [f"k{n}"], name="k", value=tensor) for n, tensor in enumerate(held)]
    proto = model(*constants, N("Add", ["k0", "k1"], ["k2"]), N("Add", ["x", "k2"], ["y"]))
    assert not found(proto, "duplicate-name")
    assert loads(proto)


def test_two_nodes_of_a_name_in_a_function():
    body = [N("Relu", ["a"], ["h"], name="n"), N("Softmax", ["h"], ["b"], name="n")]
    proto = model(N("F", ["x"], ["y"], domain="d"))
    proto.opset_import.append(helper.make_opsetid("d", 1))
    proto.functions.append(helper.make_function("d", "F", ["a"], ["b"], body, [helper.make_opsetid("", 13)]))
    assert len(found(proto, "duplicate-name")) == 1
    assert not loads(proto)


SOFTMAX, RELU = N("Softmax", ["x"], ["y"]), N("Relu", ["x"], ["h"])
BEHIND = N("Softmax", ["h"], ["y"])
CONTRADICTED = {
    "an output of another type": model(SOFTMAX, output=value("y", dtype=TensorProto.FLOAT16)),
    "an output of another rank": model(
        N("Reshape", ["x", "s"], ["y"]), output=value("y", [1, "n"]), s=[-1, 3, 1]
    ),
    "an output of another length": model(SOFTMAX, output=value("y", ["N", 4])),
    "a value in between of another type": model(RELU, BEHIND, inner=[value("h", dtype=TensorProto.DOUBLE)]),
    "a value in between of another rank": model(RELU, BEHIND, inner=[value("h", ["N", 3, 1])]),
}
FINE = {
    "as it is": model(RELU, BEHIND, inner=[value("h")]),
    "other symbols": model(
        RELU, BEHIND, inner=[value("h", ["batch", "classes"])], output=value("y", ["M", 3])
    ),
    "more than is inferred": model(RELU, BEHIND, inner=[value("h", [8, 3])]),
    "less than is inferred": model(RELU, BEHIND, output=value("y", None)),
    "0 where any length goes": model(SOFTMAX, shape=[2, 3], output=value("y", [0, 3])),
    "-1 where any length goes": model(SOFTMAX, output=value("y", [-1, 3])),
    "what nobody infers": model(N("Reshape", ["x", "s"], ["h"]), BEHIND, s=np.zeros(0, np.int64), shape=None),
}


@pytest.mark.parametrize("proto", CONTRADICTED.values(), ids=CONTRADICTED)
def test_contradicted(proto):
    (warning,) = found(proto, "contradiction")
    assert warning.severity == "error"
    assert warning.node in ("h", "y")


@pytest.mark.parametrize("proto", FINE.values(), ids=FINE)
def test_not_contradicted(proto):
    assert not found(proto, "contradiction")


def test_the_cure_of_a_type():
    (warning,) = found(CONTRADICTED["an output of another type"], "contradiction")
    assert "declared as float16, and is float32" in warning.message
    assert "Cast to float16" in warning.cure
    assert not loads(CONTRADICTED["an output of another type"])


def test_contradicted_in_a_branch():
    proto = in_branches("", "", "", "")
    (then,) = (attribute.g for attribute in proto.graph.node[0].attribute if attribute.name == "then_branch")
    then.output[0].CopyFrom(value("a", ["N", 3, 1]))
    warnings = found(proto, "contradiction")
    assert [(warning.node, warning.where) for warning in warnings] == [("a", "y.then_branch")]


def test_negative_lengths():
    proto = model(SOFTMAX, shape=[-1, 3], output=value("y", [-1, 3]))
    (warning,) = found(proto, "negative-length")
    assert (warning.severity, warning.node) == ("warning", None)
    assert "2 declared dimensions are of length -1" in warning.message
    assert not found(model(SOFTMAX, shape=[0, 3]), "negative-length")
    (record,) = lint(proto).nodes
    assert (record.shape, record.elements) == ((None, 3), 3)


def test_a_negative_length_among_those_that_are_normalised_together():
    """It is none of length 1: below opset 13 the lengths behind the axis count, and are not known."""
    proto = model(
        N("Softmax", ["x"], ["y"], axis=1), shape=[2, 3, -1], output=value("y", [2, 3, -1]), opset=12
    )
    assert found(proto, "flatten-rule")
    assert [node.op_type for node in convert_version(proto, 13).graph.node] == [
        "Flatten",
        "Softmax",
        "Reshape",
    ]
