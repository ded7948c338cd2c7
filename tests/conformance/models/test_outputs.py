"""Outputs from elsewhere: what rounding explains, what it does not, and what cannot be compared."""

import json
import re

import ml_dtypes
import numpy as np
import onnx
import pytest
from made_elsewhere import by_onnxruntime, inputs, network

from softops.conformance import compare_outputs
from softops.conformance.models import outputs as models_outputs
from softops.export import classifier_head

FEEDS = inputs()
BETWEEN = ("hidden", "scaled", "curve", "active")


def parsed(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')


@pytest.fixture(scope="module")
def right():
    return by_onnxruntime(network(), FEEDS, *BETWEEN)


@pytest.fixture
def outputs(right):
    return {name: right[name].copy() for name in ("logits", "label")}


def test_what_a_right_runtime_gives_is_explained(right):
    report = compare_outputs(network(), FEEDS, right)
    assert report.verdict == "explained by rounding"
    assert report.passed
    assert 0 < report.outputs["logits"].ratio <= 10
    assert report.outputs["label"].verdict == "equal"
    assert list(report.between) == list(BETWEEN)
    assert report.first_departure is None


def test_outputs_of_torch_are_explained(outputs):
    torch = pytest.importorskip("torch")
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    w1, w2 = (torch.tensor(constants[name], requires_grad=True) for name in ("w1", "w2"))
    logits = torch.nn.functional.gelu(torch.from_numpy(FEEDS["x"]) @ w1) @ w2
    report = compare_outputs(network(), FEEDS, [logits.detach(), logits.argmax(1)])
    assert report.verdict == "explained by rounding"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (lambda y: dict(y), None),
        (lambda y: [y["logits"], y["label"]], None),
        (lambda y: (y["label"], y["logits"]), ["label", "logits"]),
    ],
)
def test_outputs_come_by_name_or_in_an_order(outputs, given, names):
    assert compare_outputs(network(), FEEDS, given(outputs), names).passed


@pytest.mark.parametrize("named", [True, False])
def test_outputs_come_in_a_file(outputs, tmp_path, named):
    path = tmp_path / "outputs.npz"
    if named:
        np.savez(path, **outputs)
    else:
        np.savez(path, outputs["logits"], outputs["label"])
    assert compare_outputs(network(), FEEDS, path).passed


def test_one_array_is_that_of_the_only_output():
    model = parsed("net (float[2,3] x) => (float[2,3] y) { y = Neg(x) }")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert compare_outputs(model, x, -x).verdict == "equal"


def test_an_element_that_is_off_is_named(outputs):
    outputs["logits"][3, 7] += 3e-4
    report = compare_outputs(network(), FEEDS, outputs)
    assert report.verdict == "not explained"
    assert report.wrong
    assert not report.passed
    found = report.outputs["logits"]
    assert found.worst_index == (3, 7)
    assert found.worst_actual == outputs["logits"][3, 7]
    assert found.worst_actual - found.worst_expected == pytest.approx(3e-4, rel=0.05)
    assert found.ratio > 10
    assert "logits: not explained" in repr(report)


def test_the_first_tensor_to_leave_the_noise_is_named():
    """The network with GELU of a slightly other constant: what comes before it is right, all behind it is not."""
    other = by_onnxruntime(network(root=np.array(0.7072)), FEEDS, *BETWEEN)
    report = compare_outputs(network(), FEEDS, other)
    assert report.verdict == "not explained"
    assert report.between["hidden"].verdict == "explained by rounding"
    assert report.first_departure.name == "scaled"
    assert "Mul" in report.first_departure.node
    assert "the first tensor to leave the noise is scaled" in repr(report)
    without = {name: array for name, array in other.items() if name != "scaled"}
    assert compare_outputs(network(), FEEDS, without).first_departure.name == "curve"


def test_a_label_that_changes_outside_the_noise_is_another_decision(outputs):
    outputs["label"][5] = (outputs["label"][5] + 1) % 10
    report = compare_outputs(network(), FEEDS, outputs)
    assert report.verdict == "decisions differ"
    assert report.wrong
    assert report.outputs["label"].labels_differ == 1
    assert report.outputs["label"].worst_index == (5,)
    assert report.outputs["logits"].verdict == "explained by rounding"


def test_a_label_that_rounding_may_change_is_explained():
    """Two classes of the same weights in another order of summation: their scores are equal but for rounding."""
    model = network()
    weight = model.graph.initializer[1]
    twice = onnx.numpy_helper.to_array(weight).copy()
    twice[:, 1] = twice[:, 0] = np.abs(twice).max()
    weight.CopyFrom(onnx.numpy_helper.from_array(twice, "w2"))
    outputs = by_onnxruntime(model, FEEDS)
    tied = np.isin(outputs["label"], (0, 1))
    assert tied.any()
    outputs["label"] = np.where(tied, 1 - outputs["label"], outputs["label"])
    assert compare_outputs(model, FEEDS, outputs).passed


@pytest.mark.parametrize("wrong", [np.inf, -np.inf])
def test_what_is_infinite_on_one_side_alone_is_not_explained(outputs, wrong):
    outputs["logits"][2, 4] = wrong
    report = compare_outputs(network(), FEEDS, outputs)
    assert report.verdict == "not explained"
    assert report.outputs["logits"].worst_index == (2, 4)
    json.loads(report.to_json())  # which has no NaN of its own


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([(2, 4)], "1 of 200 elements, the first at [2, 4]"),
        ([(3, 1), (2, 9)], "2 of 200 elements, the first at [2, 9]"),
    ],
)
def test_nan_where_the_model_makes_a_number_is_refused(outputs, places, said):
    for place in places:
        outputs["logits"][place] = np.nan
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"logits without NaN where the model makes a number of these inputs (got NaN in {said})"
        ),
    ):
        compare_outputs(network(), FEEDS, outputs)


def test_nan_in_between_is_a_finding(right):
    """What the NaN comes from is to be found by the tensors in between, so these are not refused."""
    curve = right["curve"].copy()
    curve[0, 0] = np.nan
    report = compare_outputs(network(), FEEDS, {**right, "curve": curve})
    assert report.first_departure.name == "curve"
    assert "a NaN where a number is expected" in report.between["curve"].reason
    json.loads(report.to_json())  # which has no NaN of its own


def test_one_number_that_is_nan_is_refused_without_a_place():
    model = parsed("net (float[4] x) => (float y) { y = ReduceSum <keepdims = 0> (x) }")
    with pytest.raises(ValueError, match=re.escape("(got NaN in 1 of 1 elements); look")):
        compare_outputs(model, np.float32([1, 2, 3, 4]), np.float32(np.nan))


def test_nan_on_both_sides_is_explained():
    feeds = inputs()
    feeds["x"][4] = np.nan
    outputs = by_onnxruntime(network(), feeds)
    assert np.isnan(outputs["logits"][4]).all()
    del outputs["label"]
    model = network()
    del model.graph.output[1], model.graph.node[-1]
    assert compare_outputs(model, feeds, outputs).passed
    outputs["logits"][4] = 0
    outputs["logits"][5, 5] = np.nan  # of the other kind, and behind
    with pytest.raises(
        ValueError, match=re.escape("(got a number in 10 of 200 elements, the first at [4, 0])")
    ):
        compare_outputs(model, feeds, outputs)


def test_outputs_in_another_order_are_recognised():
    model = parsed("net (float[3,4] x) => (float[3,4] a, float[3,4] b) { a = Exp(x) b = Sigmoid(x) }")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    outputs = by_onnxruntime(model, {"x": x})
    report = compare_outputs(model, x, [outputs["b"], outputs["a"]])
    assert report.verdict == "not explained"
    assert any("a is b" in note for note in report.notes)
    assert compare_outputs(model, x, [outputs["b"], outputs["a"]], ["b", "a"]).passed


def test_inputs_beside_the_outputs_must_be_the_same(outputs):
    assert compare_outputs(network(), FEEDS, {**outputs, **FEEDS}).passed
    with pytest.raises(ValueError, match="made of the same inputs"):
        compare_outputs(network(), FEEDS, {**outputs, "x": FEEDS["x"] + 1})


def test_bfloat16_comes_as_its_bits(tmp_path):
    model = parsed("net (bfloat16[6] x) => (bfloat16[6] y) { y = Neg(x) }")
    x = np.arange(6).astype(ml_dtypes.bfloat16)
    for outputs in (-x, (-x).view(np.uint16), (-x).view("V2")):
        assert compare_outputs(model, x, {"y": outputs}).verdict == "equal"


def test_what_was_computed_in_halves_may_be_given_in_them(outputs):
    """The network in float16 from end to end, by NumPy."""
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    weights = {name: array.astype(np.float16) for name, array in constants.items()}
    hidden = FEEDS["x"].astype(np.float16) @ weights["w1"]
    from math import erf

    curve = np.vectorize(erf)((hidden * weights["root"]).astype(float)).astype(np.float16)
    logits = (hidden * weights["a_half"]) * (curve + weights["one"]) @ weights["w2"]
    given = {"logits": logits, "label": logits.argmax(1)}
    assert compare_outputs(network(), FEEDS, given, dtype="float16").passed
    wide = {**given, "logits": logits.astype(np.float32)}
    assert compare_outputs(network(), FEEDS, wide, dtype="float16").passed
    assert compare_outputs(network(), FEEDS, wide).verdict == "not explained"


def test_what_hangs_on_a_quantised_value_beside_a_tie_is_not_decidable():
    """Two steps of quantisation are as right as one another where the value lies between them."""
    model = parsed("""
        net (float[2,3] x) => (float[2,4] y) {
            step = Constant <value_float = 0.1> ()
            zero = Constant <value = int8 {0}> ()
            h = MatMul(x, v)
            q = QuantizeLinear(h, step, zero)
            d = DequantizeLinear(q, step, zero)
            y = MatMul(d, w)
        }
    """)
    random = np.random.default_rng(0)
    constants = {"v": np.full((3, 3), 1 / 3), "w": random.normal(size=(3, 4))}
    for name, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    x = np.array([[0.25, 0.25, 0.25], [0.31, 0.32, 0.33]], np.float32)  # two steps and a half; 3.2 steps
    higher = np.float32([[0.3] * 3, [0.3] * 3]) @ constants["w"].astype(np.float32)
    lower = np.float32([[0.2] * 3, [0.3] * 3]) @ constants["w"].astype(np.float32)
    found = {compare_outputs(model, x, outputs).verdict for outputs in (higher, lower)}
    assert "not decidable" in found  # one of them, or both, is not that of the exact run
    assert found <= {"not decidable", "explained by rounding"}
    far = compare_outputs(model, x[1:].repeat(2, 0), lower)
    assert far.verdict == "not explained"


def test_scores_of_another_label_are_told(outputs):
    outputs["logits"][4] = outputs["logits"][4, ::-1]
    report = compare_outputs(network(), FEEDS, outputs)
    assert report.outputs["logits"].labels_differ == 1
    assert "the largest of 1 rows is another one" in repr(report)


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 11), ("bfloat16", 8)])
def test_outputs_of_a_lower_precision_are_told_by_their_bits(dtype, bits):
    """torch computes GELU's network in halves; of a formula that is another nothing of the kind is said."""
    torch = pytest.importorskip("torch")
    kind = getattr(torch, dtype)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    w1, w2 = (torch.from_numpy(constants[name].copy()).to(kind) for name in ("w1", "w2"))
    logits = (torch.nn.functional.gelu(torch.from_numpy(FEEDS["x"]).to(kind) @ w1) @ w2).float()
    given = {"logits": logits, "label": by_onnxruntime(network(), FEEDS)["label"]}
    report = compare_outputs(network(), FEEDS, given)
    (note,) = [note for note in report.notes if "significant bits" in note]
    assert abs(int(re.search(r"about (\d+)", note).group(1)) - bits) <= 1
    assert compare_outputs(network(), FEEDS, given, dtype=dtype).passed


def test_another_formula_is_not_told_by_bits(outputs):
    gelu = by_onnxruntime(network(root=np.array(0.7072)), FEEDS)
    assert not any("bits" in note for note in compare_outputs(network(), FEEDS, gelu).notes)
    outputs["logits"][3, 7] += 1
    assert not any("bits" in note for note in compare_outputs(network(), FEEDS, outputs).notes)


def test_another_shape_is_refused_before_the_run_with_noise(outputs, monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(models_outputs, "noise_of", never)
    outputs["logits"] = outputs["logits"][:, :9]
    with pytest.raises(ValueError, match=re.escape("shape [20, 10] for these inputs (got [20, 9])")):
        compare_outputs(network(), FEEDS, outputs)


def test_a_shape_that_the_model_declares_wrongly_is_not_asked_for(outputs):
    model = network()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 11
    assert compare_outputs(model, FEEDS, outputs).passed


def test_a_shape_that_hangs_on_rounding_is_that_of_the_exact_run():
    """Three times a third of float32 is 1 once it is rounded, and more than 1 in float64: NonZero finds one or two."""
    model = parsed("""
        net (float[2] x) => (float[N] y) {
            one = Constant <value_float = 1.0> ()
            flat = Constant <value_ints = [-1]> ()
            product = Mul(x, third)
            left = Sub(product, one)
            places = NonZero(left)
            row = Reshape(places, flat)
            y = Gather(x, row)
        }
    """)
    third = np.array(1 / 3, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(third, "third"))
    x = np.float32([3, 6])
    assert np.count_nonzero(x * third - np.float32(1)) == 1
    assert np.count_nonzero(x.astype(float) * third.astype(float) - 1) == 2
    assert compare_outputs(model, x, x).passed


@pytest.mark.parametrize("kind", ["U", "S", object])
def test_labels_that_are_text_come_in_any_form(kind):
    model = classifier_head(np.eye(3, dtype=np.float32), labels=["a", "\u03b2", "c"])
    x = np.float32([[1, 2, 9], [1, 9, 2]])
    labels = np.array(["c", "\u03b2"])
    labels = np.char.encode(labels, "utf-8") if kind == "S" else labels.astype(kind)
    scores = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    given = {"label": labels, "probabilities": scores}
    assert compare_outputs(model, x, given).passed
    report = compare_outputs(model, x, {**given, "label": labels[::-1]})
    assert report.verdict == "decisions differ"
    assert "it is '\u03b2', where the model makes 'c'" in repr(report)


def test_one_number_has_no_place():
    model = parsed("net (float[4] x) => (float y) { y = ReduceSum <keepdims = 0> (x) }")
    x = np.float32([1, 2, 3, 4])
    assert compare_outputs(model, x, np.float32(10)).passed
    said = repr(compare_outputs(model, x, np.float32(11)))
    assert said.endswith("; it is 11, where the model makes 10")


def test_nothing_is_no_pass():
    model = parsed("net (float[N,3] x) => (float[N,3] y) { y = Exp(x) }")
    empty = np.zeros((0, 3), np.float32)
    report = compare_outputs(model, empty, empty)
    assert report.verdict == "nothing compared"
    assert not report.passed


def test_the_same_seed_finds_the_same(outputs):
    first, second = (compare_outputs(network(), FEEDS, outputs, seed=7).to_dict() for _ in range(2))
    assert first == second


NUMBERS = np.zeros((20, 10), np.float32)
LABELS = np.zeros(20, np.int64)


@pytest.mark.parametrize(
    ("given", "names", "error", "said"),
    [
        ({}, None, ValueError, "logits, label (got none; none for logits, label)"),
        ({"logits": NUMBERS}, None, ValueError, "none for label"),
        ({"logit": NUMBERS, "label": LABELS}, None, ValueError, "is logits meant?"),
        ({"logits": NUMBERS, "label": LABELS, "zork": LABELS}, None, ValueError, "the model has no zork"),
        ({"logits": NUMBERS, "label": LABELS, "w1": LABELS}, None, ValueError, "the model has no w1"),
        ([NUMBERS], None, ValueError, "2: logits, label (got 1)"),
        ([NUMBERS, LABELS, LABELS], None, ValueError, "2: logits, label (got 3)"),
        ([NUMBERS, LABELS], ["logits"], ValueError, "as many arrays as names, 1"),
        ([NUMBERS, LABELS], ["logits", "logits"], ValueError, "one twice"),
        ({"logits": NUMBERS, "label": LABELS}, ["logits"], ValueError, "leave one out"),
        (
            [LABELS, NUMBERS],
            None,
            TypeError,
            "logits in float32 (got int64); give the model's own output; if this is",
        ),
        ({"logits": NUMBERS.astype(float), "label": LABELS}, None, TypeError, ".astype('float32')"),
        ({"logits": NUMBERS, "label": LABELS.astype(np.int32)}, None, TypeError, ".astype('int64')"),
        ({"logits": NUMBERS, "label": LABELS.astype(str)}, None, TypeError, "label in int64 (got string)"),
        ({"logits": NUMBERS[:, :9], "label": LABELS}, None, ValueError, "shape [20, 10] for these inputs"),
        ({"logits": NUMBERS.T, "label": LABELS}, None, ValueError, "(got [10, 20])"),
        ({"logits": NUMBERS, "label": LABELS[:, None]}, None, ValueError, "(got [20, 1])"),
        ({"logits": [{0: 0.5}] * 20, "label": LABELS}, None, TypeError, "a sequence or Python objects"),
        ({"logits": {0: 0.5}, "label": LABELS}, None, TypeError, "a map"),
        ({"logits": [[1.0], [1.0, 2.0]], "label": LABELS}, None, TypeError, "give a plain one"),
        ({"logits": np.ma.masked_array(NUMBERS, NUMBERS > 1), "label": LABELS}, None, TypeError, "mask"),
    ],
)
def test_what_does_not_fit_is_refused(given, names, error, said):
    with pytest.raises(error, match=re.escape(said)) as caught:
        compare_outputs(network(), FEEDS, given, names)
    assert "\n" not in str(caught.value)


def test_a_tensor_of_torch_with_a_gradient_is_refused_or_taken_but_never_a_defect():
    torch = pytest.importorskip("torch")
    given = {"logits": torch.zeros(20, 10, requires_grad=True), "label": LABELS}
    with pytest.raises((TypeError, ValueError), match=r"grad|detach"):
        compare_outputs(network(), FEEDS, given)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("net (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x) }", "sequence"),
        ("net (float[2] x) => (optional(float[2]) y) { y = Optional(x) }", "optional"),
    ],
)
def test_outputs_that_are_no_tensors_are_refused(text, kind):
    x = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=f"y is a.? {kind}"):
        compare_outputs(parsed(text), x, {"y": x})


def test_a_model_of_no_inputs_is_compared():
    model = parsed("net () => (float[2] y) { c = Constant <value_floats = [1.0, 2.0]> () y = Exp(c) }")
    assert compare_outputs(model, None, np.exp(np.array([1, 2], np.float32))).passed
    with pytest.raises(ValueError, match="expected inputs named x"):
        compare_outputs(network(), None, [NUMBERS, LABELS])
