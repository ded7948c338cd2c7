"""Models as others make them: with types written down, operators of their own, shapes that contradict each other."""

import copy

import numpy as np
import onnx
import pytest

from softops.export import append_head, decompose, fuse, replace_activation, strip_head
from softops.opset import ModelError, UnsupportedModelError

SPELLED = "g (float[N,5] x) => (float[N,5] y) { e = Exp(x) t = ReduceSum<axes = [1]>(e) y = Div(e, t) }"
X = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
CUSTOM = ', "com.example" : 1'


def ops(graph):
    return [node.op_type for node in graph.node]


def test_the_types_of_values_that_are_gone_are_gone(parsed, run_onnxruntime):
    model = onnx.shape_inference.infer_shapes(parsed(12, SPELLED))
    assert [value.name for value in model.graph.value_info] == ["e", "t"]
    fused = fuse(model)
    assert (ops(fused.graph), list(fused.graph.value_info)) == (["Softmax"], [])
    inferred = onnx.shape_inference.infer_shapes(decompose(fused, "Softmax"))
    assert not fuse(inferred).graph.value_info
    headed = onnx.shape_inference.infer_shapes(append_head(fused, activation="none", top_k=2))
    np.testing.assert_array_equal(run_onnxruntime(strip_head(headed), {"x": X})["logits"], X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph.node.reverse() or graph, "topologically sorted"),
        (lambda graph: graph.node[0].input.append("x"), "Exp"),
        (lambda graph: graph.node.append(copy.deepcopy(graph.node[0])), "SSA|more than once"),
        (lambda graph: graph.output[0].type.tensor_type.ClearField("shape"), "shape"),
    ],
)
def test_a_model_that_the_checker_refuses_is_refused(parsed, tmp_path, change, message):
    model = parsed(12, SPELLED)
    change(model.graph)
    for work in (fuse, strip_head, append_head):
        with pytest.raises(ModelError, match=f"(?s)expected a valid model .*({message}).*; export it again"):
            work(model, path=tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_shapes_that_contradict_each_other_are_none_of_our_business(parsed):
    """Some exporters write them, and runtimes go by the values."""
    model = parsed(12, SPELLED.replace("(float[N,5] y)", "(float[N,7] y)"))
    with pytest.raises(onnx.shape_inference.InferenceError):
        onnx.checker.check_model(model, full_check=True)
    assert ops(fuse(model).graph) == ["Softmax"]
    assert ops(append_head(model, activation="argmax").graph)[-1] == "ArgMax"


def test_labels_encoded_from_an_unknown_type_stay(parsed):
    """Of their types nothing can be inferred, and onnx's inference would end the process."""
    text = """g (float[N,5] x) => (float[N,5] y, int64[N] label) {
        h = com.example.Mix(x) label = ai.onnx.ml.LabelEncoder<keys_strings = ["a"], values_int64s = [0]>(h)
        p = Softmax<axis = 1>(x) y = Log(p)
    }"""
    model = parsed(17, text, imports=CUSTOM + ', "ai.onnx.ml" : 3')
    assert ops(fuse(model).graph) == ["Mix", "LabelEncoder", "LogSoftmax"]


def test_operators_of_another_domain_stay(parsed):
    text = "g (float[N,5] x) => (float[N,5] y) { h = com.example.Mix(x) p = Softmax<axis = 1>(h) y = Log(p) }"
    model = parsed(17, text, imports=CUSTOM)
    assert ops(fuse(model).graph) == ["Mix", "LogSoftmax"]
    # The type of h is that of y, behind operators that keep it.
    assert [value.name for value in strip_head(model).graph.output] == ["h"]
    assert strip_head(model).graph.output[0].type == model.graph.output[0].type
    # An index says nothing of the type of what it is taken from, nor does another Mix.
    decided = "g (float[N,5] x) => (int64[N,1] y) { h = com.example.Mix(x) y = ArgMax<axis = 1>(h) }"
    with pytest.raises(UnsupportedModelError, match=r"type and rank of the logits 'h'.*shape_inference"):
        strip_head(parsed(17, decided, imports=CUSTOM))
    elementwise = text.replace("Softmax<axis = 1>(h) y = Log(p)", "Sigmoid(h) y = com.example.Mix(p)")
    with pytest.raises(UnsupportedModelError, match="known type"):
        decompose(parsed(17, elementwise, imports=CUSTOM), "Sigmoid")
    typed = parsed(17, text, imports=CUSTOM)
    typed.graph.value_info.append(onnx.helper.make_tensor_value_info("h", onnx.TensorProto.FLOAT, ["N", 5]))
    assert [value.name for value in strip_head(typed).graph.output] == ["h"]
    assert append_head(typed, "y").opset_import == typed.opset_import


def test_a_branch_that_reads_the_old_activation_goes_on_reading_it(parsed, run_onnxruntime, same_bits):
    text = (
        "g (float[N,5] x, bool c) => (float[N,5] p, float[N,5] w) { p = Softmax(x) w = If (c) <"
        "then_branch = yes () => (float[N,5] a) { a = Neg(p) },"
        "else_branch = no () => (float[N,5] b) { b = Identity(p) }> }"
    )
    model = parsed(17, text)
    changed = replace_activation(model, "log_softmax", output="p")
    for flag in (True, False):
        feeds = {"x": X, "c": np.array(flag)}
        before, after = run_onnxruntime(model, feeds), run_onnxruntime(changed, feeds)
        np.testing.assert_allclose(np.exp(after.pop("p")), before.pop("p"), rtol=1e-5)
        same_bits(after, before)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_an_unknown_rank_at_an_old_opset(parsed, run_onnxruntime, op):
    """Below 13 an axis from the front is a matrix of two parts; from the end it needs the rank."""
    body = "{{ h = Reshape(x, s) p = {op}<axis = {axis}>(h) y = Reshape(p, s) }}"
    text = f"g (float[N,5] x, int64[k] s) => (float[?,?] y) {body}"
    feeds = {"x": X, "s": np.array([5, 3])}
    for opset, axis in ((7, 1), (11, 1), (11, 0), (11, -1), (12, -2)):
        model = parsed(opset, text.format(op=op, axis=axis))
        simple = decompose(model, op)
        assert op not in ops(simple.graph)
        np.testing.assert_allclose(
            run_onnxruntime(simple, feeds)["y"], run_onnxruntime(model, feeds)["y"], rtol=1e-5, atol=1e-6
        )
    with pytest.raises(UnsupportedModelError, match=r"axis counts from the front.*shape_inference"):
        decompose(parsed(9, text.format(op=op, axis=-1)), op)


def test_sums_over_axes_that_are_known_at_run_time_stay(parsed):
    text = "g (float[N,5] x, int64[1] a) => (float[N,1] y) { y = ReduceLogSumExp(x, a) }"
    with pytest.raises(UnsupportedModelError, match=r"axes that are constants.*fold"):
        decompose(parsed(18, text), "ReduceLogSumExp")


@pytest.mark.parametrize("op", ["ReduceLogSum", "ReduceLogSumExp"])
@pytest.mark.parametrize("opset", [11, 18])
def test_a_reduction_over_everything(parsed, run_onnxruntime, op, opset):
    model = parsed(opset, f"g (float[N,5] x) => (float y) {{ y = {op}<keepdims = 0>(x) }}")
    simple = decompose(model, op)
    feeds = {"x": abs(X)}
    np.testing.assert_allclose(
        run_onnxruntime(simple, feeds)["y"], run_onnxruntime(model, feeds)["y"], rtol=1e-6
    )


def test_a_function_without_operators_of_onnx_is_left_alone(parsed):
    function = '<domain: "own", opset_import: ["com.example" : 1]> f (v) => (w) { w = com.example.Mix(v) }'
    graph = "g (float[N,5] x) => (float[N,5] y) { h = own.f(x) p = Softmax<axis = 1>(x) y = Log(p) }"
    model = parsed(17, f"{graph} {function}", imports=f'{CUSTOM}, "own" : 1')
    fused = fuse(model)
    assert fused.functions == model.functions
    assert ops(fused.graph)[-1] == "LogSoftmax"


def test_a_branch_without_an_output_of_its_if_has_no_head(parsed):
    """onnx's checker does not compare how many outputs an If and its branches have."""
    graph = """g (float[N,5] x, bool c) => (float[N,5] y) {
        y = If (c) <then_branch = a () => (float[N,5] p) { p = Softmax (x) },
                    else_branch = b () => () { q = Softmax (x) }>
    }"""
    model = parsed(17, graph)
    for work in (strip_head, lambda given: replace_activation(given, "sigmoid")):
        with pytest.raises(ValueError, match="y"):
            work(model)
    assert ops(append_head(model, activation="softmax", top_k=2).graph)[0] == "If"
