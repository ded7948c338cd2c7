"""Which nodes are said to be run by a verified implementation."""

import onnx
import pytest
from onnx import TensorProto, helper

from softops.opset.implementations.choice import is_known, is_verified

node = helper.make_node
NEWEST = {"": 21, "ai.onnx.ml": 4}


def branches(*op_types):
    """An If whose branches hold these operators, the last one in an If of its own."""
    graph = None
    for op_type in reversed(op_types):
        nodes = [node(op_type, ["x"], ["y"])]
        if graph is not None:
            nodes.append(node("If", ["c"], ["z"], then_branch=graph, else_branch=graph))
        graph = helper.make_graph(
            nodes, "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        )
    return node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


@pytest.mark.parametrize(
    "proto",
    [
        node("Add", ["a", "b"], ["y"]),
        node("Add", ["a", "b"], ["y"], domain="ai.onnx"),
        node("Softmax", ["x"], ["y"], axis=1),
        node("Constant", [], ["y"], value_float=1.0),
        node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
        branches("Relu", "Exp"),
    ],
    ids=lambda proto: proto.op_type,
)
def test_what_is_ours_is_verified(proto):
    assert is_verified(proto, NEWEST)


@pytest.mark.parametrize(
    "proto",
    [
        node("Det", ["x"], ["y"]),  # onnx's reference
        node("Sigmoid", ["x"], ["y"], domain="com.microsoft"),
        node("Abs", ["x"], ["y"], domain="somebody"),
        node("NoSuchOperator", ["x"], ["y"]),
        node("Swish", ["x"], ["y"]),  # exists from version 24 on
        node("ReduceMean", ["x"], ["y"], domain="ai.onnx.ml"),  # of another domain
        node("If", ["c"], ["y"]),  # has no branches
        branches("Relu", "Det"),
        branches("Det", "Relu"),
    ],
    ids=lambda proto: f"{proto.domain}::{proto.op_type}",
)
def test_what_is_not_ours_is_not(proto):
    assert not is_verified(proto, NEWEST)


def test_versions_before_an_operator_began():
    for op_type, since in (("Trilu", 14), ("Swish", 24), ("LayerNormalization", 17)):
        newest = onnx.defs.onnx_opset_version()
        assert not is_verified(node(op_type, ["x"], ["y"]), {"": since - 1})
        assert is_verified(node(op_type, ["x"], ["y"]), {"": since}) == (since <= newest)


def test_a_form_of_our_operator_that_we_leave_to_onnx():
    usual = node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    assert is_verified(usual, NEWEST)
    assert not is_verified(node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E5M2), NEWEST)


def test_a_function_of_onnx_is_what_the_nodes_in_its_body_are():
    # onnx's reference lacks both; the body of Mish is Softplus, Tanh and Mul, that of the other has means
    assert is_verified(node("Mish", ["x"], ["y"]), NEWEST)
    normalized, mean = (node(op, ["x"], ["y"]) for op in ("MeanVarianceNormalization", "ReduceMean"))
    assert is_verified(normalized, NEWEST) == is_verified(mean, NEWEST)


def test_what_nobody_runs_is_not_known():
    opsets = {"": 17, "own": 1}
    assert is_known(helper.make_node("Det", ["x"], ["y"]), opsets)
    assert not is_known(helper.make_node("Zork", ["x"], ["y"]), opsets)
    assert not is_known(helper.make_node("Zork", ["x"], ["y"], domain="own"), opsets)
    assert not is_known(helper.make_node("Zork", ["x"], ["y"], domain="other"), opsets)


def test_what_lacks_what_it_needs_is_not_known():
    """TopK took its k as an attribute once: a node of today's form at an opset of then."""
    today = helper.make_node("TopK", ["x", "k"], ["y", "i"], axis=-1)
    assert is_known(today, {"": 11})
    assert not is_known(today, {"": 9})
