"""A whole model at another opset: what has to change does, and everything else stays as it was."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import ModelError, UnsupportedModelError, convert_version
from softops.opset.backend import prepare

X = np.random.default_rng(3).normal(size=(2, 3, 4)).astype(np.float32)
TYPE = "float[N, 3, 4]"


def run(model, **feeds):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


def parsed(opset, text, ir=8, extra=""):
    return onnx.parser.parse_model(f'<ir_version: {ir}, opset_import: ["": {opset}{extra}]> {text}')


def test_a_model_at_the_target_is_returned_as_it_is(tmp_path):
    model = parsed(13, f"g ({TYPE} x) => ({TYPE} y) {{ y = Softmax (x) }}")
    assert convert_version(model, 13) is model
    onnx.save(model, tmp_path / "m.onnx")
    for source in (tmp_path / "m.onnx", model.SerializeToString()):
        assert convert_version(source, 13) == model


SUBGRAPHS = {
    "If": f"""g ({TYPE} x, bool c) => ({TYPE} y) {{
        z = Neg (x)
        y = If (c) <then_branch = t () => ({TYPE} a) {{ a = Softmax <axis = 1> (z) }},
                    else_branch = e () => ({TYPE} b) {{ r = Abs (z) b = Hardmax <axis = -2> (r) }}> }}""",
    "nested If": f"""g ({TYPE} x, bool c) => ({TYPE} y) {{
        y = If (c) <then_branch = t () => ({TYPE} a) {{
            a = If (c) <then_branch = u () => ({TYPE} d) {{ d = LogSoftmax <axis = 1> (x) }},
                        else_branch = v () => ({TYPE} e) {{ e = Neg (x) }}> }},
                    else_branch = w () => ({TYPE} b) {{ b = Softmax <axis = 0> (x) }}> }}""",
    "Loop": f"""g ({TYPE} x, bool c) => ({TYPE} y) <int64 n = {{3}}> {{
        y = Loop (n, c, x) <body = b (int64 i, bool k, {TYPE} v) => (bool l, {TYPE} w) {{
            l = Identity (k) s = Softmax <axis = 1> (v) w = Add (s, x) }}> }}""",
    "Scan": f"""g ({TYPE} x, bool c) => ({TYPE} y) {{
        y = Scan <num_scan_inputs = 1, body = b (float[3, 4] v) => (float[3, 4] w) {{
            w = Softmax <axis = 0> (v) }}> (x) }}""",
}


@pytest.mark.parametrize("text", SUBGRAPHS.values(), ids=SUBGRAPHS)
@pytest.mark.parametrize(("source", "target"), [(12, 13), (11, 21), (13, 12), (21, 11), (9, 19), (19, 9)])
def test_subgraphs(text, source, target):
    model = parsed(source, text)
    converted = convert_version(model, target)
    for condition in (True, False):
        feeds = {"x": X, "c": np.array(condition)}
        (expected,) = prepare(model, check=False).run(feeds)
        np.testing.assert_array_equal(prepare(converted).run(feeds)[0], expected)
        if "Scan" not in text or source > 9 or target > 9:
            np.testing.assert_array_equal(run(converted, **feeds)[0], run(model, **feeds)[0])


def with_function(opset, body, call="loc.f (x)", signature="f (x) => (y)", function_opset=None):
    function = f'<domain: "loc", opset_import: ["": {function_opset or opset}]> {signature} {{ {body} }}'
    return parsed(opset, f"g ({TYPE} x) => ({TYPE} y) {{ y = {call} }} {function}", 10, ', "loc": 1')


@pytest.mark.parametrize(("source", "target"), [(12, 13), (11, 21), (13, 12), (21, 11)])
@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_functions(source, target, axis):
    model = with_function(source, f"s = Relu (x) y = Softmax <axis = {axis}> (s)")
    converted = convert_version(model, target)
    assert [function.name for function in converted.functions] == ["f"]
    assert converted.functions[0].opset_import[0].version == target
    np.testing.assert_array_equal(run(converted, x=X)[0], run(model, x=X)[0])


@pytest.mark.parametrize(("source", "target"), [(12, 13), (12, 21), (13, 12), (21, 11)])
@pytest.mark.parametrize("call", ["loc.f (x)", "loc.f <a = 1> (x)", "loc.f <a = -3> (x)"])
def test_an_axis_that_is_an_attribute_of_the_function(source, target, call):
    model = with_function(source, "y = Softmax <axis: int = @a> (x)", call, "f <a: int = 2> (x) => (y)")
    converted = convert_version(model, target)
    np.testing.assert_array_equal(run(converted, x=X)[0], run(model, x=X)[0])
    # Up, Flatten takes the attribute over; down, the function stands in the place of its calls.
    assert len(converted.functions) == (target > source)


def test_a_function_of_another_opset_than_the_model():
    """By the text a function means what its own opset says; onnxruntime reads it at the model's."""
    model = with_function(13, "y = Softmax <axis = 1> (x)", function_opset=12)
    converted = convert_version(model, 13)
    same = convert_version(with_function(12, "y = Softmax <axis = 1> (x)"), 13)
    np.testing.assert_array_equal(run(converted, x=X)[0], run(same, x=X)[0])
    assert convert_version(converted, 13) is converted


def furnished():
    """A model with everything that gets lost easily."""
    model = parsed(
        12,
        f"""g ({TYPE} x, float[2] q) => ({TYPE} y, float[N, 12] z, float[2] w) <float[2] k = {{1, 2}}> {{
            [head] y = Softmax <axis = 1> (x)
            y_flatten = Flatten (x)
            [head_Flatten] z = Relu (y_flatten)
            s = ai.onnx.ml.Scaler <offset = [0.0], scale = [1.0]> (q)
            w = Add (s, k) }}""",
        10,
        ', "ai.onnx.ml": 2',
    )
    model.doc_string, model.producer_name, model.domain, model.model_version = "a model", "p", "d", 7
    helper.set_model_props(model, {"key": "value"})
    model.graph.doc_string = "a graph"
    node = model.graph.node[0]
    node.doc_string = "a node"
    node.metadata_props.add(key="where", value="here")
    model.graph.input[0].doc_string = "an input"
    model.graph.metadata_props.add(key="of", value="graph")
    model.graph.quantization_annotation.add(tensor_name="k")
    model.graph.value_info.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, [2]))
    return model


def test_everything_else_stays():
    model = furnished()
    converted = convert_version(model, 13)
    onnx.checker.check_model(converted, full_check=True)
    assert [(entry.domain, entry.version) for entry in converted.opset_import] == [
        ("", 13),
        ("ai.onnx.ml", 2),
    ]
    (head,) = (node for node in converted.graph.node if node.op_type == "Softmax")
    before = model.graph.node[0]
    assert (head.name, head.doc_string, head.metadata_props) == ("head", "a node", before.metadata_props)
    for got, expected in zip(run(converted, x=X, q=X[0, 0, :2]), run(model, x=X, q=X[0, 0, :2]), strict=True):
        np.testing.assert_array_equal(got, expected)
    names = [node.name for node in converted.graph.node if node.name]
    assert len(set(names)) == len(names)

    for proto in (model, converted):
        del proto.graph.node[:]
        proto.opset_import[0].version = 0
    del converted.graph.initializer[1:]  # the shape to go back to
    assert converted == model


@pytest.mark.parametrize(
    ("source", "ir", "target", "expected"),
    [
        (12, 7, 13, 7),
        (12, 7, 21, 10),
        (12, 9, 13, 9),
        (21, 10, 12, 7),
        (21, 10, 8, 3),
        (9, 4, 8, 3),
        (13, 13, 12, 7),
    ],
)
def test_ir_version(source, ir, target, expected):
    text = f"g ({TYPE} x) => ({TYPE} y) <float[4] w = {{1, 2, 3, 4}}> {{ s = Softmax <axis = 2> (x) y = Add (s, w) }}"
    model = parsed(source, text, ir)
    converted = convert_version(model, target)
    assert converted.ir_version == expected
    onnx.checker.check_model(converted, full_check=True)
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["x"]
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], run(model, x=X)[0])


def test_functions_keep_the_ir_version_that_has_them():
    assert convert_version(with_function(18, "y = Relu (x)"), 12).ir_version == 8


def test_an_unconvertible_model_is_left_alone():
    model = furnished()
    before = model.SerializeToString(deterministic=True)
    model.graph.node[2].op_type = "Round"
    changed = model.SerializeToString(deterministic=True)
    with pytest.raises(UnsupportedModelError, match="Round 'head_Flatten': it is new in opset 11"):
        convert_version(model, 10)
    assert model.SerializeToString(deterministic=True) == changed != before


def test_a_large_constant_is_not_touched():
    weight = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    node = helper.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(weight))
    model = parsed(
        12, "g (float[N, 300] x) => (float[N, 300] y) { m = MatMul (x, w) a = Add (m, c) y = Softmax (a) }"
    )
    model.graph.node.insert(0, node)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    converted = convert_version(model, 13)
    assert converted.graph.initializer == model.graph.initializer
    assert converted.graph.node[0] == node
    np.testing.assert_array_equal(run(converted, x=weight)[0], run(model, x=weight)[0])


def test_no_ai_onnx():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["ai.onnx.ml": 2]> g (float[2] x) => (float[2] y) '
        "{ y = ai.onnx.ml.Scaler <offset = [0.0], scale = [1.0]> (x) }"
    )
    with pytest.raises(ModelError, match=r"imports ai\.onnx"):
        convert_version(model, 13)


def test_there_and_back():
    """Softmax over two axes: 9 → 21 puts a Reshape with allowzero beside it, which opset 9 does not have."""
    text = "g (float[N, C, 4] x) => (float[N, C, 4] y) { y = Softmax <axis = 1> (x) }"
    model = parsed(9, text, 4)
    back = convert_version(convert_version(model, 21), 9)
    np.testing.assert_array_equal(run(back, x=X)[0], run(model, x=X)[0])


@pytest.mark.parametrize(("source", "target", "nodes"), [(12, 13, 3), (13, 12, 3)])
def test_the_long_name_of_the_domain(source, target, nodes):
    model = parsed(source, f"g ({TYPE} x) => ({TYPE} y) {{ y = Softmax <axis = 1> (x) }}")
    expected = run(convert_version(model, target), x=X)[0]
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    converted = convert_version(model, target)
    assert [(entry.domain, entry.version) for entry in converted.opset_import] == [("ai.onnx", target)]
    assert [node.domain for node in converted.graph.node] == ["ai.onnx"] * nodes
    np.testing.assert_array_equal(run(converted, x=X)[0], expected)


def test_training_graphs():
    model = parsed(12, f"g ({TYPE} x) => ({TYPE} y) {{ y = Relu (x) }}")
    algorithm = f"a () => ({TYPE} z) {{ z = Softmax <axis = 1> (y) }}"
    model.training_info.add().algorithm.CopyFrom(onnx.parser.parse_graph(algorithm))
    (training,) = convert_version(model, 13).training_info
    assert not training.HasField("initialization")
    assert [node.op_type for node in training.algorithm.node][-3:] == ["Flatten", "Softmax", "Reshape"]


def test_an_axis_of_a_function_that_cannot_be_inlined():
    model = with_function(
        13, "y = Softmax <axis: int = @a> (x)", "loc.f <a = 1> (x)", "f <a> (x) => (y)", function_opset=14
    )
    with pytest.raises(UnsupportedModelError, match=r"an axis that is a number.*'a' of the function.*inline"):
        convert_version(model, 12)


@pytest.mark.parametrize(
    ("source", "target", "body", "refused"),
    [
        (8, 9, "v = BatchNormalization <epsilon: float = @a> (x, k, k, k, k)", None),
        (10, 11, "v = Clip <max: float = @a> (x)", "its max is the attribute 'a' of a function.*inline"),
    ],
)
def test_attributes_of_a_function_through_onnx(source, target, body, refused):
    constant = "k = Constant <value = float[3] {1, 2, 3}> ()"
    model = with_function(
        source, f"{constant} {body} y = Relu (v)", "loc.f <a = 0.5> (x)", "f <a> (x) => (y)"
    )
    if refused:
        with pytest.raises(UnsupportedModelError, match=refused):
            convert_version(model, target)
        return
    converted = convert_version(model, target)
    (attribute,) = (a for node in converted.functions[0].node for a in node.attribute if a.ref_attr_name)
    assert (attribute.name, attribute.ref_attr_name) == ("epsilon", "a")
    np.testing.assert_array_equal(run(converted, x=X)[0], run(model, x=X)[0])


def test_an_attribute_of_a_function_that_another_operator_would_read_is_refused():
    scales = "scales = [1.0, 1.0, 2.0]"
    model = parsed(
        8,
        f'g ({TYPE} x) => (float[N, 3, 8] y) {{ y = loc.f <m = "nearest"> (x) }} '
        f'<domain: "loc", opset_import: ["": 8]> f <m> (x) => (y) {{ y = Upsample <mode: string = @m, {scales}> (x) }}',
        extra=', "loc": 1',
    )
    with pytest.raises(
        UnsupportedModelError, match="got Upsample: its mode is the attribute 'm' of a function"
    ):
        convert_version(model, 13)  # Upsample is a Resize there


def test_nodes_that_onnx_puts_beside_a_named_one():
    model = parsed(11, f"g ({TYPE} x) => ({TYPE} y) {{ [drop] y = Dropout <ratio = 0.25> (x) }}")
    converted = convert_version(model, 12)
    (drop,) = (node for node in converted.graph.node if node.op_type == "Dropout")
    assert drop.name == "drop"
    assert all(name.startswith("y_") for name in drop.input[1:] if name)
    names = [node.name for node in converted.graph.node]
    assert len(set(names)) == len(names)
    np.testing.assert_array_equal(run(converted, x=X)[0], X)


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_what_onnx_converts_keeps_its_name_words_and_domain(domain):
    model = parsed(12, f"g ({TYPE} x) => ({TYPE} y) {{ [sum] y = ReduceSum <axes = [1], keepdims = 1> (x) }}")
    (node,) = model.graph.node
    node.doc_string, node.domain = "over channels", domain
    node.metadata_props.add(key="layer", value="3")
    expected = run(model, x=X)[0]
    converted = convert_version(model, 13)
    (after,) = (node for node in converted.graph.node if node.op_type == "ReduceSum")
    assert (after.name, after.doc_string, after.domain) == ("sum", "over channels", domain)
    assert [(entry.key, entry.value) for entry in after.metadata_props] == [("layer", "3")]
    np.testing.assert_array_equal(run(converted, x=X)[0], expected)


def test_what_onnx_makes_a_constant_of_stays_beside_the_node():
    pads = "v = Pad <pads = [0, 1, 0, 0, 0, 2], value = 1.5> (x)"
    plain = parsed(10, f"g ({TYPE} x) => (float[a, b, c] v) {{ {pads} }}")
    inside = with_function(10, pads.replace("v =", "y ="), "loc.f (x)", "f (x) => (y)")
    inside.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 4
    inside.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 6
    for model in (plain, inside):
        (y,) = run(convert_version(model, 11), x=X)
        np.testing.assert_array_equal(y, np.pad(X, ((0, 0), (1, 0), (0, 2)), constant_values=np.float32(1.5)))
