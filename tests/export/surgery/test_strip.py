"""A model without its head, or with another activation in it."""

import numpy as np
import onnx
import pytest
from scipy import special

from softops.export import append_head, binary_head, classifier_head, replace_activation, strip_head
from softops.opset import ModelError

OPSETS = [7, 9, 11, 12, 13, 17, 21, onnx.defs.onnx_opset_version()]
BODY = "g ({t}[N,4,3] x) => ({t}[N,4,3] logits{more}) {{ logits = Neg(x) {text} }}"
ORACLES = {
    "softmax": special.softmax,
    "log_softmax": special.log_softmax,
    "hardmax": lambda x, axis: np.eye(x.shape[axis])[x.argmax(axis)],
}


def ops(model):
    return [node.op_type for node in model.graph.node]


def outputs(model):
    return [value.name for value in model.graph.output]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", ["float", "double", "float16"])
@pytest.mark.parametrize("axis", [1, 2])
def test_what_was_appended_comes_off_again(parsed, opset, kind, axis):
    model = parsed(opset, BODY.format(t=kind, more="", text=""))
    for activation in ("softmax", "log_softmax", "hardmax", "sigmoid", "argmax", "none"):
        labels = list("abcd")[: (4, 3)[axis - 1]]
        for keep in (True, False):
            headed = append_head(
                model, activation=activation, axis=axis, labels=labels, top_k=2, keep_output=keep
            )
            assert strip_head(headed).graph == model.graph, activation


def test_heads_of_our_own_give_their_logits(run_onnxruntime):
    weight = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    x = np.random.default_rng(1).standard_normal((5, 2)).astype(np.float32)
    for head in (
        classifier_head(weight, labels=["a", "b", "c"], top_k=2),
        classifier_head(weight, activation="hardmax"),
        classifier_head(weight, labels=["a", "b", "c"], zipmap=True),
    ):
        stripped = strip_head(head)
        assert outputs(stripped) == ["logits"]
        np.testing.assert_allclose(
            run_onnxruntime(stripped, {"features": x})["logits"], x @ weight.T, rtol=1e-5
        )
        assert [tensor.name for tensor in stripped.graph.initializer] == ["weight"]
    assert "probabilities" not in outputs(strip_head(binary_head(weight[0]), "probabilities"))


def test_other_outputs_stay_to_the_bit(parsed, run_onnxruntime, same_bits):
    text = "p = Softmax(logits) w = Sigmoid(x) h = Relu(logits) unused = Neg(h)"
    model = parsed(
        17, BODY.format(t="float", more=", float[N,4,3] h, float[N,4,3] p, float[N,4,3] w", text=text)
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    before = run_onnxruntime(model, {"x": x})
    one = strip_head(model, "p")
    assert outputs(one) == ["logits", "h", "w"]
    same_bits(run_onnxruntime(one, {"x": x}), {name: before[name] for name in outputs(one)})
    assert ops(one) == ["Neg", "Sigmoid", "Relu", "Neg"]  # what was not needed before is none of our business
    both = strip_head(model)
    # The sigmoid is of the input itself, which cannot be an output: an Identity of it.
    assert outputs(both) == ["logits", "h", "logits_1"]
    np.testing.assert_array_equal(run_onnxruntime(both, {"x": x})["logits_1"], x)


def test_a_label_that_reads_the_probabilities_stays_when_it_is_not_asked_for(parsed, run_onnxruntime):
    text = "p = Softmax(logits) label = ArgMax<axis = 2, keepdims = 0>(p)"
    model = parsed(17, BODY.format(t="float", more=", float[N,4,3] p, int64[N,4] label", text=text))
    assert ops(strip_head(model, "p")) == ["Neg", "Softmax", "ArgMax"]
    assert outputs(strip_head(model, "p")) == ["logits", "label"]
    assert ops(strip_head(model)) == ["Neg"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("s = Softmax<axis = 2>(z) out = Log(s)", "float[N,4,3]"),
        ("s = Softmax<axis = 2>(z) i = Identity(s) out = Cast<to = 11>(i)", "double[N,4,3]"),
        ("s = LogSoftmax<axis = 2>(z) out = ArgMax<axis = 2, keepdims = 0>(s)", "int64[N,4]"),
        ("a = ArgMax<axis = 2, keepdims = 0>(z) out = Cast<to = 6>(a)", "int32[N,4]"),
    ],
)
def test_what_stands_behind_the_activation_goes_with_it(parsed, text, kind):
    model = parsed(17, f"g (float[N,4,3] x) => ({kind} out) {{ z = Neg(x) {text} }}")
    stripped = strip_head(model)
    assert (ops(stripped), outputs(stripped)) == (["Neg"], ["z"])
    named = strip_head(model, name="scores")
    assert (ops(named), outputs(named)) == (["Neg", "Identity"], ["scores"])


@pytest.mark.parametrize(("step", "scores"), [("Abs(z)", ["z", "t"]), ("Cast<to = 1>(z)", ["z"])])
def test_heads_on_scores_of_which_one_is_made_of_the_other(parsed, step, scores):
    text = f"z = Neg(x) p = Softmax(z) t = {step} q = Softmax(t)"
    model = parsed(17, f"g (float[N,3] x) => (float[N,3] p, float[N,3] q) {{ {text} }}")
    assert outputs(strip_head(model)) == scores


@pytest.mark.parametrize(
    "text",
    ["y = Relu(x)", "p = Softmax(x) y = Relu(p)", "p = Softmax(x) y = MatMul(p, p)", "y = Gather(x, i)"],
)
def test_a_graph_without_a_head_is_refused(parsed, tmp_path, text):
    model = parsed(17, f"g (float[3,3] x, int64[1] i) => (float[?,?] y) {{ {text} }}")
    with pytest.raises(ValueError, match="there is no head to strip"):
        strip_head(model, path=tmp_path / "a.onnx")
    with pytest.raises(ValueError, match="append a head instead"):
        replace_activation(model, "hardmax", path=tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("old", ORACLES)
@pytest.mark.parametrize("new", ORACLES)
def test_activations_are_exchanged(parsed, run_onnxruntime, same_bits, opset, old, new):
    op = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "hardmax": "Hardmax"}[old]
    text = f"p = {op}<axis = 2>(logits) w = Abs(x)"
    model = parsed(opset, BODY.format(t="float", more=", float[N,4,3] p, float[N,4,3] w", text=text))
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    before = run_onnxruntime(model, {"x": x})
    after = run_onnxruntime(replace_activation(model, new), {"x": x})
    np.testing.assert_allclose(after.pop("p"), ORACLES[new](-x.astype(float), axis=2), rtol=1e-5)
    del before["p"]
    same_bits(after, before)


def test_who_else_reads_the_old_activation_goes_on_reading_it(parsed, run_onnxruntime, same_bits):
    text = "p = Softmax(logits) label = ArgMax<axis = 2, keepdims = 0>(p) w = Neg(p)"
    model = parsed(
        17, BODY.format(t="float", more=", float[N,4,3] p, int64[N,4] label, float[N,4,3] w", text=text)
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    before, after = (
        run_onnxruntime(model, {"x": x}),
        run_onnxruntime(replace_activation(model, "log_softmax"), {"x": x}),
    )
    np.testing.assert_allclose(after.pop("p"), special.log_softmax(-x, axis=2), rtol=1e-5)
    del before["p"]
    same_bits(after, before)


def test_what_cannot_be_exchanged_is_refused(parsed):
    text = "p = Softmax(logits) w = LogSoftmax(logits)"
    model = parsed(17, BODY.format(t="float", more=", float[N,4,3] p, float[N,4,3] w", text=text))
    with pytest.raises(ValueError, match=r"got p, w.*name the output"):
        replace_activation(model, "hardmax")
    assert ops(replace_activation(model, "hardmax", output="w")) == ["Neg", "Softmax", "Hardmax"]
    with pytest.raises(ValueError, match=r"among softmax, log_softmax, hardmax, .* \(got 'relu'"):
        replace_activation(model, "relu")
    with pytest.raises(ValueError, match=r"an output among logits, p, w \(got 'q'"):
        replace_activation(model, "hardmax", output="q")
    with pytest.raises(ValueError, match="one head for the name"):
        strip_head(
            append_head(
                parsed(
                    17,
                    "g (float[3] x) => (float[3] p, float[3] q) { p = Softmax(x) y = Neg(x) q = Sigmoid(y) }",
                ),
                "p",
                activation="none",
                top_k=1,
            ),
            name="z",
        )
    with pytest.raises(ModelError, match=r"in the place of the Softmax of 'p' \(got 'sigmoid'\); strip"):
        replace_activation(model, "sigmoid", output="p")
    with pytest.raises(ValueError, match=r"free in the model \(got 'x'"):
        strip_head(model, "p", name="x")
