"""What a classifier head gives back: outputs chosen, k best, temperature, threshold, maps; in every dtype."""

import json
import time

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from softops.conformance.runtimes.onnxruntime import OnnxRuntime
from softops.export import classifier_head
from softops.opset.backend import prepare

OPSETS = [7, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
DTYPES = ["float16", "float32", "float64"]
ALL = ["top_k", "logits", "label", "log_probabilities", "probabilities"]
RANDOM = np.random.default_rng(7)
WEIGHT, BIAS, X = RANDOM.normal(size=(5, 7)), RANDOM.normal(size=5), RANDOM.normal(size=(9, 7))
LABELS = ["a", "b", "ç", "", "e e"]


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}), strict=True))


def in_softops(model, x):
    prepared = prepare(model)
    return dict(zip(prepared.output_names, prepared.run([x]), strict=True))


RUNTIMES = [in_onnxruntime, in_softops]


def exact(weight, bias, x, temperature=1.0):
    """Logits, probabilities and their logarithms in float64, of the rounded weights."""
    logits = x.astype(float) @ weight.astype(float).T + bias.astype(float)
    return logits, softmax(logits / temperature, 1), log_softmax(logits / temperature, 1)


def close(got, expected, dtype):
    """Within what 7 products of size about 1, a division and a softmax of them round, and the output's own rounding."""
    wide = np.finfo("float64" if dtype == "float64" else "float32").eps
    np.testing.assert_allclose(
        got.astype(float), expected, rtol=float(ml_dtypes.finfo(dtype).eps), atol=float(128 * wide)
    )


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_output_at_every_opset_in_every_dtype(run, opset, dtype):
    weight, bias, x = (array.astype(dtype) for array in (WEIGHT, BIAS, X))
    temperature = [1, 2, 0.5, 3, 1]
    model = classifier_head(
        weight, bias, labels=LABELS, outputs=ALL, top_k=3, temperature=temperature, opset=opset
    )
    got = run(model, x)
    assert list(got) == ["top_k_values", "top_k_indices", "top_k_labels", *ALL[1:]]
    logits, probabilities, logarithms = exact(weight, bias, x, temperature)
    close(got["logits"], logits, dtype)
    close(got["probabilities"], probabilities, dtype)
    close(got["log_probabilities"], logarithms, dtype)
    best = np.argsort(-probabilities, 1)[:, :3]
    np.testing.assert_array_equal(got["top_k_indices"], best)
    np.testing.assert_array_equal(got["top_k_labels"], np.array(LABELS, object)[best])
    close(got["top_k_values"], np.take_along_axis(probabilities, best, 1), dtype)
    np.testing.assert_array_equal(got["label"], got["top_k_labels"][:, 0])
    assert {got[name].dtype for name in ("logits", "probabilities", "top_k_values")} == {np.dtype(dtype)}


def bfloat16_in_onnxruntime(model, x):
    """By its values of its own, as its `run` takes and gives no bfloat16."""
    values = OnnxRuntime().run(model.SerializeToString(), {model.graph.input[0].name: x})
    return dict(zip([value.name for value in model.graph.output], values, strict=True))


@pytest.mark.parametrize("run", [bfloat16_in_onnxruntime, in_softops])
@pytest.mark.parametrize("opset", [13, 17, 21, OPSETS[-1]])
def test_bfloat16_is_rounded_once(run, opset):
    weight, bias, x = (array.astype(ml_dtypes.bfloat16) for array in (WEIGHT, BIAS, X))
    model = classifier_head(weight, bias, outputs=ALL, top_k=2, opset=opset)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    assert types["probabilities"] == types["logits"] == onnx.TensorProto.BFLOAT16
    got = run(model, x)
    logits, probabilities, _ = exact(weight, bias, x)
    close(got["logits"], logits, ml_dtypes.bfloat16)
    close(got["probabilities"], probabilities, ml_dtypes.bfloat16)
    np.testing.assert_array_equal(got["label"], logits.argmax(1))
    np.testing.assert_array_equal(got["probabilities"], got["probabilities"].astype(ml_dtypes.bfloat16))


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("labels", [None, [7, 3, -5, 9, 0], LABELS])
def test_an_unsure_head_abstains(run, opset, labels):
    abstain = (
        {"abstain_label": "none of them"}
        if labels is LABELS
        else {"abstain_label": -(2**63)}
        if labels
        else {}
    )
    x = np.concatenate([X, np.full((1, 7), np.nan)])
    got = run(classifier_head(WEIGHT, BIAS, labels=labels, threshold=0.6, opset=opset, **abstain), x)
    _, probabilities, _ = exact(WEIGHT, BIAS, X)
    names = np.array(range(5) if labels is None else labels, object)
    expected = np.where(
        probabilities.max(1) >= 0.6, names[probabilities.argmax(1)], abstain.get("abstain_label", -1)
    )
    assert got["label"].tolist() == [*expected, abstain.get("abstain_label", -1)]
    assert 0 < (expected == abstain.get("abstain_label", -1)).sum() < len(X)
    np.testing.assert_allclose(got["probabilities"][:-1], probabilities, rtol=1e-12)


def test_a_probability_of_just_the_threshold_is_enough():
    model = classifier_head(np.zeros((2, 1)), threshold=0.5)
    for run in RUNTIMES:
        assert run(model, np.zeros((1, 1)))["label"].tolist() == [0]
    assert json.loads({p.key: p.value for p in model.metadata_props}["softops.threshold"]) == 0.5


@pytest.mark.parametrize("run", RUNTIMES)
def test_the_best_classes_are_those_of_the_logits_even_where_probabilities_round_to_the_same(run):
    weight = np.array([[-200], [-400], [-300], [0], [-250]], np.float32)
    got = run(classifier_head(weight, top_k=5), np.ones((1, 1), np.float32))
    assert got["top_k_indices"].tolist() == [[3, 0, 4, 2, 1]]
    assert got["top_k_values"].tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("labels", [None, [4, 2, 8, 1, 0], LABELS])
def test_maps_are_given_on_request(labels, opset):
    # By onnxruntime alone: our backend has no ZipMap.
    model = classifier_head(
        WEIGHT, BIAS, labels=labels, zipmap=True, dtype="float32", outputs=["probabilities"], opset=opset
    )
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": opset, "ai.onnx.ml": 1}
    maps = in_onnxruntime(model, X.astype("float32"))["probabilities"]
    names = range(5) if labels is None else labels
    for row, expected in zip(maps, exact(WEIGHT, BIAS, X)[1], strict=True):
        assert set(row) == set(names)
        np.testing.assert_allclose([row[name] for name in names], expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_shape_labels_and_options_run_alike_in_both(data):
    classes, features = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 20))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    labels = data.draw(
        st.none()
        | st.lists(st.integers(0, 2**40), min_size=classes, max_size=classes, unique=True)
        | st.lists(st.text(max_size=5), min_size=classes, max_size=classes, unique=True)
    )
    outputs = data.draw(st.lists(st.sampled_from(ALL), min_size=1, unique=True))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    model = classifier_head(
        random.normal(size=(classes, features)),
        labels=labels,
        outputs=outputs,
        activation=data.draw(st.sampled_from(["softmax", "log_softmax"])),
        temperature=data.draw(st.none() | st.floats(0.1, 10)),
        top_k=data.draw(st.integers(1, classes)) if "top_k" in outputs else None,
        opset=data.draw(st.sampled_from(OPSETS)),
        dtype=dtype,
    )
    x = random.normal(size=(data.draw(st.integers(0, 5)), features)).astype(dtype)
    theirs, ours = in_onnxruntime(model, x), in_softops(model, x)
    assert list(theirs) == list(ours)
    for name, got in ours.items():
        if got.dtype.kind == "f":
            atol = float(4096 * np.finfo(dtype).eps)  # sums of 20 in another order, over a temperature of 0.1
            np.testing.assert_allclose(theirs[name], got, rtol=0, atol=atol)
        else:
            np.testing.assert_array_equal(theirs[name], got)


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", [7, 17, OPSETS[-1]])
def test_a_label_may_be_any_text(run, opset):
    labels = ["a\0", "a", "\0", "é", "e\u0301", "a\nb", "\u2028", "😀", " ", "x" * 1000]
    model = classifier_head(np.eye(10), labels=labels, opset=opset)
    assert run(model, np.eye(10))["label"].tolist() == labels
    assert json.loads({p.key: p.value for p in model.metadata_props}["softops.labels"]) == labels


def test_numpy_s_integers_are_integers():
    model = classifier_head(WEIGHT, top_k=np.int32(2), batch=np.int64(9), opset=np.int64(13))
    assert model == classifier_head(WEIGHT, top_k=2, batch=9, opset=13)


def test_one_label_twice_among_many_is_found_at_once():
    many = [f"class {i}" for i in range(50_000)]
    many[-1] = many[-2]
    start = time.perf_counter()
    with pytest.raises(ValueError, match="'class 49998' more than once"):
        classifier_head(np.ones((50_000, 1)), labels=many)
    # Counting each label by itself would take 2.5 · 10⁹ comparisons, some 30 s.
    assert time.perf_counter() - start < 10


REFUSED = {
    "temperature of 0": (ValueError, "above 0", {"temperature": 0}),
    "negative temperature": (ValueError, "above 0", {"temperature": [1, 1, -1, 1, 1]}),
    "temperature of NaN": (ValueError, "finite", {"temperature": np.nan}),
    "temperatures": (ValueError, r"shape \(3,\)", {"temperature": [1, 2, 3]}),
    "temperature of text": (TypeError, "temperature", {"temperature": "hot"}),
    "top_k of 0": (ValueError, "1 to 5", {"top_k": 0}),
    "top_k of more": (ValueError, "1 to 5", {"top_k": 6}),
    "top_k of a float": (TypeError, "integer", {"top_k": 2.0}),
    "k is missing": (ValueError, "top_k=5", {"outputs": ["top_k"]}),
    "top_k is not asked for": (ValueError, "the output top_k", {"outputs": ["label"], "top_k": 2}),
    "no such output": (ValueError, "'scores'", {"outputs": ["scores"]}),
    "output twice": (ValueError, "once", {"outputs": ["label", "label"]}),
    "no output": (ValueError, "at least one", {"outputs": []}),
    "output as text": (TypeError, "list of names", {"outputs": "label"}),
    "logarithms of a hardmax": (
        ValueError,
        "'log_prob",
        {"activation": "hardmax", "outputs": ["log_probabilities"]},
    ),
    "probabilities of none": (
        ValueError,
        "'probabilities'",
        {"activation": "none", "outputs": ["probabilities"]},
    ),
    "threshold of none": (ValueError, "without probabilities", {"activation": "none", "threshold": 0.5}),
    "threshold": (ValueError, "between 0 and 1", {"threshold": 1.5}),
    "abstains as a class": (ValueError, "no class has", {"threshold": 0.5, "abstain_label": 3}),
    "abstains in another type": (TypeError, "int", {"threshold": 0.5, "abstain_label": "?"}),
    "abstains without threshold": (ValueError, "threshold beside", {"abstain_label": -1}),
    "maps of float64": (ValueError, "float32 for zipmap", {"zipmap": True}),
    "maps of nothing": (ValueError, "for zipmap", {"zipmap": True, "outputs": ["label"]}),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_makes_no_sense_is_refused_with_nothing_written(case, tmp_path):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message) as raised:
        classifier_head(WEIGHT, **options, path=tmp_path / "head.onnx")
    assert ";" in str(raised.value)
    assert not list(tmp_path.iterdir())
