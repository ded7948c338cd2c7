"""The records of `lint`: one for each node of the family, wherever it stands, and along which axis it works."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import lint

ML = "ai.onnx.ml"
MICROSOFT = "com.microsoft"


def value(name, *shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, opset=17, *, initializers=(), functions=(), outputs=("y",), extra=()):
    graph = helper.make_graph(
        nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in outputs], list(initializers)
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(*entry) for entry in extra)]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)


def only(report):
    (record,) = report.nodes
    return record


@pytest.mark.parametrize(
    ("op_type", "opset", "attributes", "since", "rule", "along", "elements"),
    [
        ("Softmax", 9, {}, 1, "flatten", (1, 2), 12),
        ("LogSoftmax", 12, {"axis": -2}, 11, "flatten", (1, 2), 12),
        ("Hardmax", 12, {"axis": 2}, 11, "flatten", (2,), 4),
        ("Softmax", 12, {"axis": 0}, 11, "flatten", (0, 1, 2), None),
        ("Softmax", 13, {}, 13, "single", (2,), 4),
        ("LogSoftmax", 22, {"axis": 1}, 13, "single", (1,), 3),
        ("Softmax", 13, {"axis": 3}, 13, "single", None, None),
        ("Sigmoid", 5, {}, 1, None, (), None),
        ("Softplus", 22, {}, 22, None, (), None),
        ("ReduceLogSumExp", 17, {"axes": [-1, 1]}, 13, "single", (1, 2), 12),
        ("ReduceLogSumExp", 17, {}, 13, "single", (0, 1, 2), None),
        ("ReduceLogSumExp", 18, {"noop_with_empty_axes": 1}, 18, None, (), None),
        ("ArgMax", 13, {}, 13, "single", (0,), None),
        ("ArgMax", 13, {"axis": -1}, 13, "single", (2,), 4),
    ],
)
def test_version_rule_and_axis(op_type, opset, attributes, since, rule, along, elements):
    node = helper.make_node(op_type, ["x"], ["y"], name="here", **attributes)
    record = only(lint(model([node], [value("x", "n", 3, 4)], opset)))
    assert (record.name, record.op_type, record.domain) == ("here", op_type, "")
    assert (record.since_version, record.opset, record.axis_rule) == (since, opset, rule)
    assert (record.works_along, record.elements) == (along, elements)
    assert (record.dtype, record.shape, record.where) == ("float32", ("n", 3, 4), "main graph")


def test_operators_with_several_inputs():
    labels = value("l", 5, dtype=TensorProto.INT64)
    k = value("k", 1, dtype=TensorProto.INT64)
    scale, zero = value("s"), value("z", dtype=TensorProto.UINT8)
    quantized = value("u", 5, 3, dtype=TensorProto.UINT8)
    nodes = [
        helper.make_node("SoftmaxCrossEntropyLoss", ["x", "l"], ["a"]),
        helper.make_node("NegativeLogLikelihoodLoss", ["x", "l"], ["b"], reduction="sum"),
        helper.make_node("TopK", ["x", "k"], ["c", "ci"]),
        helper.make_node("Multinomial", ["x"], ["d"]),
        helper.make_node("ReduceLogSumExp", ["x", "axes"], ["e"]),
        helper.make_node("ReduceLogSumExp", ["x", "k"], ["f"]),
        helper.make_node("Attention", ["q", "q", "q"], ["g"], softmax_precision=1),
        helper.make_node("Normalizer", ["x"], ["h"], domain=ML, norm="L2"),
        helper.make_node("LinearClassifier", ["x"], ["i", "j"], domain=ML, coefficients=[1.0] * 6),
        helper.make_node("QLinearSoftmax", ["u", *"szsz"], ["o"], domain=MICROSOFT, opset=13, axis=0),
        helper.make_node("QLinearSigmoid", ["u", *"szsz"], ["p"], domain=MICROSOFT),
        helper.make_node("Relu", ["x"], ["r"]),
    ]
    inputs = [value("x", 5, 3), labels, k, scale, zero, quantized, value("q", 2, 3, 4, 8)]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [-1])
    report = lint(model(nodes, inputs, 24, initializers=[axes], extra=[(ML, 5), (MICROSOFT, 1)]))
    assert [(record.operator, record.works_along, record.detail) for record in report.nodes] == [
        ("SoftmaxCrossEntropyLoss-13", (1,), "reduction=mean"),
        ("NegativeLogLikelihoodLoss-22", (1,), "reduction=sum"),
        ("TopK-24", (1,), ""),
        ("Multinomial-22", (1,), ""),
        ("ReduceLogSumExp-18", (1,), ""),
        ("ReduceLogSumExp-18", None, "axes are computed"),
        ("Attention-24", None, "the keys, softmax_precision=FLOAT"),
        ("ai.onnx.ml.Normalizer-1", (1,), "norm=L2"),
        ("ai.onnx.ml.LinearClassifier-1", (1,), "post_transform=NONE"),
        ("com.microsoft.QLinearSoftmax-1", (0,), "opset=13"),
        ("com.microsoft.QLinearSigmoid-1", (), ""),
    ]


@pytest.mark.parametrize("opset", [9, 12, 13])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_onnxruntime_sums_to_one_over_the_dimensions_named(opset, axis):
    proto = model([helper.make_node("Softmax", ["x"], ["y"], axis=axis)], [value("x", 2, 3, 4)], opset)
    along = only(lint(proto)).works_along
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(y.sum(along), 1, rtol=1e-6)
    for fewer in (along[:-1], along[1:]):
        if fewer:
            assert not np.allclose(y.sum(fewer), 1)


def test_subgraphs_are_read_with_the_values_they_capture():
    inner = helper.make_graph(
        [helper.make_node("Softmax", ["q"], ["t"], name="s")], "b", [], [value("t", 4, 3, "n")]
    )
    other = helper.make_graph([helper.make_node("Identity", ["q"], ["e"])], "b", [], [value("e", 4, 3, "n")])
    nodes = [
        helper.make_node("Transpose", ["x"], ["q"]),
        helper.make_node("If", ["c"], ["y"], name="choice", then_branch=inner, else_branch=other),
    ]
    inputs = [value("x", "n", 3, 4), value("c", dtype=TensorProto.BOOL)]
    record = only(lint(model(nodes, inputs)))
    assert record.where == "choice.then_branch"
    assert record.shape == (4, 3, "n")


def call_of(body, opset=13, *, calls=("x",), attributes=(), opset_of_model=17, **given):
    function = helper.make_function(
        "own", "F", ["a"], ["b"], body, [helper.make_opsetid("", opset)], attributes=list(attributes)
    )
    nodes = [helper.make_node("F", [name], [f"y{i}"], domain="own", **given) for i, name in enumerate(calls)]
    outputs = [f"y{i}" for i in range(len(calls))]
    inputs = [value("x", "n", 3, 4), value("z", 5, 6)]
    return model(nodes, inputs, opset_of_model, functions=[function], outputs=outputs, extra=[("own", 1)])


def test_functions_have_their_own_opset_and_the_types_of_each_call():
    body = [helper.make_node("Softmax", ["a"], ["b"], name="inner")]
    report = lint(call_of(body, opset=12, calls=("x", "z", "x")))
    assert [(record.shape, record.works_along) for record in report.nodes] == [
        (("n", 3, 4), (1, 2)),
        ((5, 6), (1,)),
    ]
    assert {(record.where, record.opset, record.since_version) for record in report.nodes} == {
        ("function own.F", 12, 11)
    }


def test_attributes_of_a_call_reach_the_node():
    node = helper.make_node("Softmax", ["a"], ["b"])
    node.attribute.add(name="axis", ref_attr_name="dim", type=onnx.AttributeProto.INT)
    assert only(lint(call_of([node], attributes=["dim"], dim=1))).works_along == (1,)
    assert only(lint(call_of([node], attributes=["dim"]))).works_along == (2,)


def test_functions_of_one_name_are_told_apart():
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 17, "own" : 1]>
        g (float[2,3] x) => (float[2,3] y) { m = own.F:soft (x) y = own.F:hard (m) }
        <domain: "own", overload: "soft", opset_import: ["" : 17]> F (a) => (b) { b = Softmax (a) }
        <domain: "own", overload: "hard", opset_import: ["" : 17]> F (a) => (b) { b = Hardmax (a) }
    """)
    assert {record.op_type: record.where for record in lint(model).nodes} == {
        "Softmax": "function own.F:soft",
        "Hardmax": "function own.F:hard",
    }


def test_functions_that_nothing_calls_or_that_call_themselves():
    body = [helper.make_node("Softmax", ["a"], ["b"])]
    record = only(lint(call_of(body, calls=())))
    assert (record.where, record.shape) == ("function own.F (never called)", None)

    endless = call_of(
        [helper.make_node("F", ["a"], ["t"], domain="own"), helper.make_node("Sigmoid", ["t"], ["b"])]
    )
    report = lint(endless)
    assert only(report).op_type == "Sigmoid"
    assert any("calls itself" in note for note in report.notes)


def test_a_function_named_like_an_operator_that_onnx_does_not_have():
    body = [helper.make_node("Sigmoid", ["a"], ["b"])]
    own = helper.make_function(MICROSOFT, "QLinearSigmoid", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    call = helper.make_node("QLinearSigmoid", ["x"], ["y"], domain=MICROSOFT)
    report = lint(model([call], [value("x", 3)], functions=[own], extra=[(MICROSOFT, 1)]))
    assert only(report).op_type == "Sigmoid"


def test_unknown_shapes_are_said():
    report = lint(model([helper.make_node("Softmax", ["x"], ["y"])], [onnx.ValueInfoProto(name="x")]))
    assert (only(report).dtype, only(report).shape, only(report).works_along) == (None, None, None)
    assert any("input shape of y" in note for note in report.notes)


def test_a_name_the_opset_does_not_have_is_no_operator():
    assert (
        lint(model([helper.make_node("Attention", ["x", "x", "x"], ["y"])], [value("x", 1)], 22)).nodes == ()
    )


def test_records_and_warnings_are_values_and_the_model_stays_as_it_is():
    proto = model([helper.make_node("Softmax", ["x"], ["y"])], [value("x", 2, 3, 4)], 9)
    before = proto.SerializeToString(deterministic=True)
    report = lint(proto)
    assert proto.SerializeToString(deterministic=True) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        only(report).axis = 3
    assert len({*report.nodes, *report.warnings}) == 2
