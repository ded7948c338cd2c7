"""An expression is recognised as an operator, with what it reads; closed or not."""

import pytest
from onnx import parser

from softops.opset.expressions.rules import recognized
from softops.opset.graph.inference import infer_types
from softops.opset.graph.scopes import Scope

SOFTMAX = "e = Exp(x) s = ReduceSum<keepdims = 0>(e, one) u = Unsqueeze(s, one) y = Div(e, u)"


def found(text, outputs="float[N,5] y", **options):
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    graph = f"g (float[N,5] x) => ({outputs}) <int64[1] one = {{1}}> {{ {text} }}"
    model = infer_types(parser.parse_model(f"{header} {graph}"))
    scope = Scope(model.graph, {"": 17}, overridable=True)
    return recognized(scope.nodes[-1], scope, **options)


@pytest.mark.parametrize(
    ("text", "op_type"),
    [
        (SOFTMAX, "Softmax"),
        ("l = LogSoftmax<axis = 1>(x) y = Exp(l)", "Softmax"),
        ("p = Softmax<axis = 1>(x) y = Log(p)", "LogSoftmax"),
        (
            "n = Neg(x) e = Exp(n) o = Constant<value = float {1.0}>() d = Add(o, e) y = Reciprocal(d)",
            "Sigmoid",
        ),
    ],
)
def test_what_it_is_and_what_it_reads(text, op_type):
    fused = found(text).fused
    assert (fused.op_type, fused.inputs, fused.mirrored) == (op_type, ["x"], False)


def test_a_logarithm_of_a_sigmoid_is_a_mirrored_softplus():
    fused = found("p = Sigmoid(x) y = Log(p)").fused
    assert (fused.op_type, fused.mirrored) == ("Softplus", True)


@pytest.mark.parametrize(
    ("opset", "axis", "op_type"), [(10, 1, "Softmax"), (10, -1, None), (11, -1, "Softmax")]
)
def test_below_opset_11_no_axis_of_a_softmax_is_counted_from_the_end(opset, axis, op_type):
    shape = "[]" if axis < 0 else "[N,5]"
    model = parser.parse_model(
        f'<ir_version: 4, opset_import: ["" : {opset}]> g (float{shape} x) => (float{shape} y) '
        f"{{ e = Exp(x) s = ReduceSum<axes = [{axis}], keepdims = 1>(e) y = Div(e, s) }}"
    )
    scope = Scope(model.graph, {"": opset})
    assert (scope.rank("x") is None) == (axis < 0)
    fused = recognized(scope.nodes[-1], scope)
    assert (fused and fused.fused.op_type) == op_type
    assert fused is None or fused.fused.attributes == {"axis": axis}


def test_closed_or_not():
    read = SOFTMAX.replace("y =", "w = Neg(u) y =")
    outputs = "float[N,1] w, float[N,5] y"
    assert found(read, outputs) is None
    assert found(read, outputs, closed=False).fused.op_type == "Softmax"


def test_nodes_of_other_domains_are_no_part():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[N,5] x) => (float[N,5] y) '
        "{ p = own.Softmax(x) y = Log(p) }"
    )
    scope = Scope(model.graph, {"": 17, "own": 1})
    assert recognized(scope.nodes[-1], scope) is None
