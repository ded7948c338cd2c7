"""Names in graphs, subgraphs and functions: what they stand for, and new ones."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from softops.opset.graph.names import Names, names_of
from softops.opset.graph.scopes import Scope, Value
from softops.opset.graph.types import ValueType

MODEL = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
main (float[N, 4] x, bool c, float[4] w) => (float[N, 4] y)
<float[4] w = {1, 2, 3, 4}, float[2] k = {5, 6}> {
    s = Softmax (x)
    y = If (c) <
        then_branch = yes () => (float[N, 4] a) { one = Constant <value = float {1}> () a = Add (s, one) },
        else_branch = no () => (float[N, 4] b) { s2 = Mul (s, w) b = Identity (s2) }
    >
}
<domain: "own", opset_import: ["" : 17]> twice (p) => (q) { q = Add (p, p) }
""")


@pytest.fixture
def main():
    inferred = onnx.shape_inference.infer_shapes(MODEL)
    return Scope(MODEL.graph, {"": 17}, typed=inferred.graph, names=Names(names_of(MODEL)))


def test_a_subgraph_sees_what_is_around_it(main):
    yes, no = main.subscopes(main.nodes[1])
    assert yes.value_type("x") == ValueType("float32", ("N", 4))
    assert no.value_type("s2") == ValueType("float32", ("N", 4))  # known by inference alone
    assert (yes.sees("s"), yes.sees("one"), main.sees("one"), no.sees("one")) == (True, True, False, False)
    scope, node, output = no.maker("s")
    assert (scope is main, node.op_type, output) == (True, "Softmax", 0)
    assert yes.array("one") == 1
    assert (no.rank("s"), no.element("s"), no.rank("nothing"), no.type_of("nothing")) == (2, 1, None, None)
    assert (yes.where, yes.opset, yes.opener.op_type) == ("a subgraph of the graph", 17, "If")


def test_an_initializer_that_is_an_input_may_be_overridden(main):
    assert (main.constant("w"), main.array("k").tolist()) == (None, [5, 6])
    assert Scope(MODEL.graph, {"": 17}, overridable=False).array("w").tolist() == [1, 2, 3, 4]


def test_only_small_constants_at_hand_are_arrays(main):
    large = numpy_helper.from_array(np.zeros(20_000, np.float32), "large")
    broken = onnx.TensorProto(name="broken", data_type=1, dims=[3], raw_data=b"1234")
    outside = onnx.TensorProto(name="outside", data_type=1, dims=[3], data_location=1)
    graph = onnx.GraphProto(initializer=[large, broken, outside])
    scope = Scope(graph, {"": 17})
    assert [scope.array(name) for name in ("large", "broken", "outside")] == [None] * 3
    assert [scope.constant(name) is None for name in ("large", "broken", "outside")] == [False, False, True]
    assert scope.value_type("outside") == ValueType("float32", (3,))


def test_the_inputs_of_a_call_are_the_values_of_its_caller(main):
    body = Scope(MODEL.functions[0], {"": 17}, arguments={"p": Value(main, "s")})
    assert body.maker("p").node.op_type == "Softmax"
    assert body.maker("q").node.op_type == "Add"


def test_readers_are_known_and_follow_what_is_replaced(main):
    assert [node.op_type for node in main.consumers["s"]] == ["If"]  # by its subgraphs
    graph = onnx.parser.parse_graph("""
        g (float[N] x) => (float[N] y) {
            one = Constant <value = float {1}> ()
            e = Exp (x)
            d = Add (e, one)
            y = Log (d)
        }
    """)
    scope = Scope(graph, {"": 17})
    _, exp, add, log = scope.nodes
    scope.replace(log, helper.make_node("Softplus", ["x"], ["y"]), [exp, add])
    left = [node for node in scope.nodes if scope.has(node)]
    assert [node.op_type for node in left] == ["Softplus"]  # the constant is read by nothing more
    assert [node.op_type for node in scope.consumers["x"]] == ["Softplus"]
    assert (scope.has(log), scope.has(add)) == (False, False)
    assert not scope.consumers["d"]


def test_new_names_are_free_in_the_whole_model(main):
    yes, _ = main.subscopes(main.nodes[1])
    fresh = [yes.names.fresh(name) for name in ("free", "free", "s2", "q", "free")]
    assert fresh == ["free", "free_1", "s2_1", "q_1", "free_2"]
    assert main.names.fresh("free") == "free_3"
