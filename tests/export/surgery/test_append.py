"""A head appended to a model: what it gives, and that nothing else changes."""

import json

import ml_dtypes
import numpy as np
import onnx
import pytest
from scipy import special

from softops.export import append_head

OPSETS = [7, 9, 11, 12, 13, 17, 21, onnx.defs.onnx_opset_version()]
TYPES = {"float": np.float32, "double": np.float64, "float16": np.float16}
LABELS = ["ant", "bee", "", "wasp"]
ORACLES = {
    "softmax": ("probabilities", special.softmax),
    "log_softmax": ("log_probabilities", special.log_softmax),
    "sigmoid": ("probabilities", lambda x, axis: special.expit(x)),
    "hardmax": (
        "probabilities",
        lambda x, axis: np.moveaxis(np.eye(x.shape[axis])[x.argmax(axis)], -1, axis),
    ),
}
GRAPH = "g ({t}[N,4,3] x) => ({t}[N,4,3] logits, {t}[N,4,3] label) {{ logits = Neg(x) label = Abs(x) }}"


def values(dtype, seed=0):
    return (3 * np.random.default_rng(seed).standard_normal((5, 4, 3))).astype(dtype)


@pytest.mark.parametrize("runtime", ["run_onnxruntime", "run_softops"])
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_activation_along_every_axis(request, parsed, same_bits, runtime, opset, kind):
    run = request.getfixturevalue(runtime)
    model = parsed(opset, GRAPH.format(t=kind))
    x = values(TYPES[kind])
    before = run(model, {"x": x})
    logits = -x.astype(np.float64)
    eps = float(np.finfo(TYPES[kind]).eps)
    for activation, (name, oracle) in ORACLES.items():
        if (activation, kind, runtime) == ("hardmax", "double", "run_onnxruntime"):
            continue  # onnxruntime has a CPU kernel of Hardmax for float32 only
        for axis in (1, -1):
            labels = LABELS[: x.shape[axis]]
            after = run(
                append_head(model, "logits", activation=activation, axis=axis, labels=labels, top_k=2),
                {"x": x},
            )
            same_bits({key: after.pop(key) for key in before}, before)
            # "label" is taken, so the new one has a number.
            assert list(after) == ["label_1", name, "top_k_values", "top_k_indices", "top_k_labels"]
            best = np.argsort(-logits, axis=axis, kind="stable").take([0, 1], axis)
            assert after["label_1"].tolist() == np.array(labels, object)[best.take(0, axis)].tolist()
            scores = oracle(logits, axis=axis)
            assert after[name].dtype == TYPES[kind]
            # Softmax of values up to 10: a relative error of some 10 roundings of the exponent's argument.
            np.testing.assert_allclose(after[name], scores, rtol=32 * eps, atol=32 * eps)
            np.testing.assert_array_equal(after["top_k_values"], np.take_along_axis(after[name], best, axis))
            np.testing.assert_array_equal(after["top_k_labels"], np.array(labels, object)[best])
            if activation != "hardmax":  # of which all but the first are equal: any of them is the second
                np.testing.assert_array_equal(after["top_k_indices"], best)


@pytest.mark.parametrize("opset", [13, 21, 24])
def test_bfloat16_is_computed_in_float32(parsed, run_softops, opset):
    model = parsed(opset, "g (bfloat16[N,4] x) => (bfloat16[N,4] y) { y = Neg(x) }")
    x = values(ml_dtypes.bfloat16)[0].T.copy()
    after = run_softops(append_head(model, top_k=1), {"x": x})
    exact = special.softmax(-x.astype(np.float64), axis=1)
    assert after["probabilities"].dtype == ml_dtypes.bfloat16
    np.testing.assert_allclose(after["probabilities"].astype(float), exact, rtol=2**-8)
    np.testing.assert_array_equal(after["top_k_indices"][:, 0], exact.argmax(1))


def test_the_index_is_the_label_where_there_are_no_others(parsed, run_onnxruntime):
    model = parsed(17, "g (float[N,3] x) => (float[N,3] y) { y = Neg(x) }")
    x = values(np.float32)[0]
    expected = (-x).argmax(1)
    for options in ({"activation": "argmax"}, {"activation": "none", "labels": range(3)}):
        after = run_onnxruntime(append_head(model, **options), {"x": x})
        assert list(after) == ["y", "label"]
        assert after["label"].dtype == np.int64
        np.testing.assert_array_equal(after["label"], expected)
    numbers = append_head(model, labels=np.array([7, -1, 2**40]))
    after = run_onnxruntime(numbers, {"x": x})
    np.testing.assert_array_equal(after["label"], np.array([7, -1, 2**40])[expected])
    metadata = {entry.key: entry.value for entry in numbers.metadata_props}
    assert json.loads(metadata["softops.labels"]) == [7, -1, 2**40]


def test_the_temperature_divides_and_the_output_itself_does_not_change(parsed, run_onnxruntime):
    model = parsed(12, "g (float[N,4] x) => (float[N,4] y) { y = Neg(x) }")
    model.metadata_props.add(key="author", value="somebody")
    x = values(np.float32)[:, :, 0]
    heated = append_head(model, temperature=2.5)
    after = run_onnxruntime(heated, {"x": x})
    np.testing.assert_allclose(after["probabilities"], special.softmax(-x / 2.5, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(after["y"], -x)
    metadata = {entry.key: entry.value for entry in heated.metadata_props}
    assert metadata["softops.temperature"] == "2.5"
    assert metadata["author"] == "somebody"


def test_names_are_chosen_and_the_output_may_go(parsed):
    model = parsed(17, "g (float[N,4] x) => (float[N,4] y) { y = Neg(x) }")
    new = append_head(model, keep_output=False, top_k=1, names={"probabilities": "p", "top_k_values": "best"})
    assert [value.name for value in new.graph.output] == ["p", "best", "top_k_indices"]


def test_names_in_subgraphs_are_evaded(parsed, run_onnxruntime):
    text = (
        "g (float[N,3] x, bool c) => (float[N,3] y) { y = If (c) <"
        "then_branch = then () => (float[N,3] z) { probabilities = Abs(x) z = Neg(probabilities) },"
        "else_branch = other () => (float[N,3] w) { w = Neg(x) }> }"
    )
    model = parsed(17, text)
    x = values(np.float32)[0, :, :]
    after = run_onnxruntime(append_head(model), {"x": x, "c": np.array(True)})
    assert list(after) == ["y", "probabilities_1"]
    np.testing.assert_allclose(after["probabilities_1"], special.softmax(-abs(x), axis=1), rtol=1e-5)


def test_squeezenet_s_trailing_ones_need_no_transposition(parsed):
    model = parsed(9, "g (float[N,9,1,1] x) => (float[N,9,1,1] y) { y = Neg(x) }")
    nodes = append_head(model, axis=1).graph.node
    assert [node.op_type for node in nodes] == ["Neg", "Softmax"]
    assert nodes[1].attribute[0].i == 1


def test_the_bytes_are_the_same_and_the_model_given_is_not_changed(parsed, tmp_path):
    model = parsed(17, GRAPH.format(t="float"))
    before = model.SerializeToString(deterministic=True)
    first = append_head(model, "logits", labels=LABELS, axis=1, path=tmp_path / "a.onnx")
    second = append_head(before, "logits", labels=LABELS, axis=1)
    assert (tmp_path / "a.onnx").read_bytes() == second.SerializeToString(deterministic=True)
    assert model.SerializeToString(deterministic=True) == before
    assert first.ir_version == model.ir_version
    assert list(first.opset_import) == list(model.opset_import)


def test_a_model_of_other_domains_alone_imports_ai_onnx_as_well():
    text = (
        '<ir_version: 8, opset_import: ["ai.onnx.ml" : 3]> g (float[N,4] x) => (float[N,4] y) '
        '{ y = ai.onnx.ml.Normalizer<norm = "L1">(x) }'
    )
    model = onnx.parser.parse_model(text)
    imports = {entry.domain: entry.version for entry in append_head(model).opset_import}
    assert imports == {"ai.onnx.ml": 3, "": 18}  # IR version 8 came with opsets 15 to 18


def test_what_the_operators_give_counts_not_what_is_declared(parsed, run_onnxruntime):
    """The declared rank of this output is wrong: its classes lie along axis 2, where the declaration has none."""
    text = "g (float[N,6] x) => (float[1,n] y) <int64[3] s = {-1, 2, 3}> { y = Reshape(x, s) }"
    model = append_head(parsed(17, text), activation="argmax")
    x = np.array([[0, 1, 2, 5, 4, 3], [0, 2, 1, 4, 5, 3]], np.float32)
    assert run_onnxruntime(model, {"x": x})["label"].tolist() == [[2, 0], [1, 1]]
