"""Subgraphs and functions of the model: worked on like the graph around them, or clearly refused."""

import numpy as np
import onnx
import pytest

from softops.export import append_head, decompose, fuse, strip_head
from softops.opset import UnsupportedModelError

SOFTMAX = "e = Exp({x}) t = ReduceSum<axes = [1]>(e) {y} = Div(e, t)"


def ops(nodes):
    return [node.op_type for node in nodes]


def branches(model):
    return [
        attribute.g for node in model.graph.node for attribute in node.attribute if attribute.HasField("g")
    ]


@pytest.fixture
def choosing(parsed):
    """A model with a softmax, spelled out, in a branch that reads a value and a constant from around it."""
    text = (
        "g (float[N,5] x, bool c) => (float[N,5] y, float[N,5] w) <float one = {1.0}> { h = Neg(x) y = If (c) <"
        "then_branch = yes () => (float[N,5] p) { e = Exp(h) t = ReduceSum<axes = [1]>(e) p = Div(e, t) },"
        "else_branch = no () => (float[N,5] q) { f = Exp(h) d = Add(f, one) q = Log(d) }> w = Abs(h) }"
    )
    return parsed(12, text)


def test_branches_are_fused_and_decomposed(choosing, run_onnxruntime, run_softops):
    fused = fuse(choosing)
    assert [ops(graph.node) for graph in branches(fused)] == [["Softmax"], ["Softplus"]]
    assert not fused.graph.initializer  # nothing reads the 1 any longer
    simple = decompose(fused, ["Softmax", "Softplus"])
    assert ops(branches(simple)[0].node) == ["ReduceMax", "Sub", "Exp", "ReduceSum", "Div"]
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    for flag in (True, False):
        feeds = {"x": x, "c": np.array(flag)}
        expected = run_onnxruntime(choosing, feeds)["y"]
        for run in (run_onnxruntime, run_softops):
            for model in (fused, simple, fuse(simple)):
                np.testing.assert_allclose(run(model, feeds)["y"], expected, rtol=1e-6)


def test_a_value_that_a_branch_reads_is_read_elsewhere(parsed):
    text = (
        "g (float[N,5] x, bool c) => (float[N,5] y, float[N,?] w) {"
        "e = Exp(x) t = ReduceSum<axes = [1]>(e) y = Div(e, t) w = If (c) <"
        "then_branch = yes () => (float[N,5] p) { p = Neg(e) },"
        "else_branch = no () => (float[N,1] q) { q = Neg(t) }> }"
    )
    model = parsed(12, text)
    assert fuse(model).graph.node == model.graph.node


def test_a_branch_s_own_output_is_an_output(parsed):
    text = (
        "g (float[N,5] x, bool c) => (float[N,5] y, float[N,5] w) { y, w = If (c) <"
        "then_branch = yes () => (float[N,5] p, float[N,5] r) { r = Softmax(x) p = Log(r) },"
        "else_branch = no () => (float[N,5] q, float[N,5] s) { q = Neg(x) s = Exp(x) }> }"
    )
    model = parsed(13, text)
    assert fuse(model).graph.node == model.graph.node


@pytest.fixture
def with_function(parsed):
    function = (
        '<domain: "own", opset_import: ["" : 12]> spelled (v) => (p) { e = Exp(v) '
        "t = ReduceSum<axes = [-1]>(e) p = Div(e, t) }"
    )
    return parsed(
        12,
        f"g (float[N,5] x) => (float[N,5] y) {{ y = own.spelled(x) }} {function}",
        imports=', "own" : 1',
        ir_version=8,
    )


def test_functions_are_fused_and_decomposed(with_function, run_onnxruntime, run_softops):
    fused = fuse(with_function)
    assert ops(fused.functions[0].node) == ["Softmax"]
    assert fused.functions[0].node[0].attribute[0].i == -1
    simple = decompose(fused, "Softmax")
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    expected = run_onnxruntime(with_function, {"x": x})["y"]
    for run in (run_onnxruntime, run_softops):
        for model in (fused, simple):
            np.testing.assert_allclose(run(model, {"x": x})["y"], expected, rtol=1e-6)


def test_in_a_function_types_are_not_known(parsed):
    function = '<domain: "own", opset_import: ["" : 17]> f (v) => (p) { p = Sigmoid(v) }'
    model = parsed(17, f"g (float[5] x) => (float[5] y) {{ y = own.f(x) }} {function}", imports=', "own" : 1')
    with pytest.raises(UnsupportedModelError, match=r"known type .* in function f .*inline its functions"):
        decompose(model, "Sigmoid")


def test_an_attribute_that_a_call_gives_is_not_known_either(parsed):
    body = "{ s = Softmax<axis: int = @axis>(v) p = Log(s) }"
    function = f'<domain: "own", opset_import: ["" : 17]> f <axis> (v) => (p) {body}'
    model = parsed(
        17, f"g (float[5] x) => (float[5] y) {{ y = own.f<axis = 0>(x) }} {function}", imports=', "own" : 1'
    )
    assert fuse(model).functions == model.functions
    with pytest.raises(UnsupportedModelError, match="the function's attribute 'axis'"):
        decompose(model, "Softmax")


def test_heads_stand_beside_functions_and_subgraphs(with_function, choosing, run_onnxruntime, same_bits):
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    for model, feeds in ((with_function, {"x": x}), (choosing, {"x": x, "c": np.array(True)})):
        before = run_onnxruntime(model, feeds)
        # Not a softmax: the y of the function is one already.
        headed = append_head(model, "y", activation="hardmax", top_k=2)
        after = run_onnxruntime(headed, feeds)
        same_bits({name: after[name] for name in before}, before)
        assert after["top_k_values"].shape == (3, 2)
        assert strip_head(headed, "probabilities").functions == model.functions


def test_an_external_tensor_in_a_subgraph_is_refused(choosing):
    tensor = branches(choosing)[0].initializer.add(name="inner", data_type=1, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="inner.bin")
    with pytest.raises(UnsupportedModelError, match="'inner' in a subgraph"):
        fuse(choosing)


def test_the_domain_has_two_names(parsed):
    model = parsed(17, "g (float[N,5] x) => (float[N,5] y) { p = Softmax(x) y = Log(p) }")
    model.opset_import[0].domain = "ai.onnx"
    assert ops(fuse(model).graph.node) == ["LogSoftmax"]
    assert len(append_head(model).opset_import) == 1
