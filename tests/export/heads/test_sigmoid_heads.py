"""Heads of one logit and of several labels, in onnxruntime and in our backend, against their formula."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from softops.export import binary_head, multilabel_head
from softops.opset.backend import prepare

OPSETS = [7, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
RANDOM = np.random.default_rng(4)
WEIGHT, BIAS, X = RANDOM.normal(size=(5, 7)), RANDOM.normal(size=5), RANDOM.normal(size=(9, 7))


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"features": x})


def in_softops(model, x):
    return prepare(model).run({"features": x})


RUNTIMES = [in_onnxruntime, in_softops]


def tolerance(dtype):
    """Eight roundings of numbers below 8, through a slope of 1/4; onnxruntime's own Sigmoid is off by 1e-7."""
    return {"rtol": 0, "atol": float(16 * np.finfo(dtype).eps) + 1e-7 * (dtype != "float64")}


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_logit_gives_two_columns_or_one(run, opset, dtype):
    weight, x = WEIGHT[0].astype(dtype), X.astype(dtype)
    second = expit(x.astype(float) @ weight.astype(float) + float(np.asarray(0.5, dtype)))
    label, both = run(binary_head(weight, 0.5, labels=["no", "yes"], opset=opset), x)
    np.testing.assert_array_equal(label, np.where(second > 0.5, "yes", "no"))
    np.testing.assert_allclose(both, np.stack([1 - second, second], 1), **tolerance(dtype))
    (one,) = run(binary_head(weight, 0.5, columns=1, outputs=["probabilities"], opset=opset), x)
    assert one.dtype == both.dtype == dtype
    np.testing.assert_allclose(one, second[:, None], **tolerance(dtype))


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_each_label_has_its_threshold_and_temperature(run, opset, dtype):
    weight, bias, x = WEIGHT.astype(dtype), BIAS.astype(dtype), X.astype(dtype)
    threshold, temperature = [0.1, 0.2, 0.5, 0.7, 0.9], [1, 2, 0.5, 3, 1]
    model = multilabel_head(
        weight,
        bias,
        threshold=threshold,
        temperature=temperature,
        outputs=["logits", "label", "probabilities"],
        opset=opset,
    )
    logits, label, probabilities = run(model, x)
    exact = x.astype(float) @ weight.T.astype(float) + bias.astype(float)
    np.testing.assert_allclose(
        logits, exact, rtol=8 * float(np.finfo(dtype).eps), atol=16 * np.finfo(dtype).eps
    )
    expected = expit(exact / temperature)
    np.testing.assert_allclose(probabilities, expected, **tolerance(dtype))
    np.testing.assert_array_equal(label, (expected > threshold).astype(np.int64))
    metadata = {
        entry.key: json.loads(entry.value) for entry in model.metadata_props if entry.key != "softops.version"
    }
    assert metadata == {"softops.threshold": threshold, "softops.temperature": temperature}


@settings(max_examples=20, deadline=None)
@given(threshold=st.floats(1e-4, 1 - 1e-4), seed=st.integers(0, 99), columns=st.sampled_from([1, 2]))
def test_the_label_is_that_of_the_threshold_wherever_it_is(threshold, seed, columns):
    x = np.random.default_rng(seed).normal(scale=3, size=(20, 2))
    model = binary_head(np.array([[1.0, -2.0]]), threshold=threshold, columns=columns)
    label, probabilities = in_softops(model, x)
    clear = abs(probabilities[:, -1] - threshold) > 1e-12
    np.testing.assert_array_equal(label[clear], (probabilities[:, -1] > threshold)[clear])


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 5), st.integers(1, 20), st.integers(1, 20)),
    opset=st.sampled_from(OPSETS),
    dtype=st.sampled_from(["float32", "float64"]),
    outputs=st.lists(st.sampled_from(["label", "probabilities", "logits"]), min_size=1, unique=True),
    strings=st.booleans(),
)
def test_any_shape_and_options_run_alike_in_both(shape, opset, dtype, outputs, strings):
    rows, features, classes = shape
    weight = np.random.default_rng(classes).normal(size=(classes, features)).astype(dtype)
    x = np.random.default_rng(rows).normal(size=(rows, features)).astype(dtype)
    names = [f"label {i}" for i in range(classes)] if strings else None
    several = multilabel_head(weight, labels=names, outputs=outputs, opset=opset)
    one = binary_head(weight[0], labels=["no", "yes"] if strings else None, outputs=outputs, opset=opset)
    for model in (several, one):
        theirs, ours = in_onnxruntime(model, x), in_softops(model, x)
        assert [value.name for value in model.graph.output] == outputs
        for a, b in zip(theirs, ours, strict=True):
            assert a.shape == b.shape
            if b.dtype.kind == "f":
                np.testing.assert_allclose(a, b, rtol=0, atol=float(256 * np.finfo(dtype).eps))
            else:
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("run", RUNTIMES)
def test_a_logit_of_0_and_a_nan_have_the_first_label_and_the_least_above_has_the_second(run):
    x = np.array([[0], [np.nan], [1e-30], [-1e-30]], np.float32)
    assert run(binary_head(np.ones(1, np.float32)), x)[0].tolist() == [0, 0, 1, 0]
    assert run(multilabel_head(np.ones((1, 1), np.float32)), x)[0].ravel().tolist() == [0, 0, 1, 0]


def test_the_first_column_keeps_its_digits():
    _, probabilities = in_softops(binary_head(np.ones(1)), np.array([[30.0]]))
    np.testing.assert_allclose(probabilities[0, 0], expit(-30.0), rtol=1e-15)


REFUSED = {
    "two rows": (ValueError, "one row.*2 rows", {"weight": np.eye(2)}),
    "three labels": (ValueError, "2 labels.*got 3", {"labels": list("abc")}),
    "columns": (ValueError, "1 or 2 columns", {"columns": 3}),
    "threshold of 1": (ValueError, "between 0 and 1", {"threshold": 1}),
    "threshold of text": (TypeError, "threshold", {"threshold": "half"}),
    "threshold of NaN": (ValueError, "between 0 and 1", {"threshold": np.nan}),
    "two thresholds": (ValueError, r"shape \(2,\)", {"threshold": [0.1, 0.2]}),
    "temperature of 0": (ValueError, "above 0", {"temperature": 0}),
    "temperature that vanishes": (ValueError, "above 0", {"temperature": 1e-60, "dtype": "float32"}),
    "output": (ValueError, "'log_probabilities'", {"outputs": ["log_probabilities"]}),
    "bias of two": (ValueError, r"shape \(1,\)", {"bias": [1.0, 2.0]}),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_is_refused_with_nothing_written(case, tmp_path):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message):
        binary_head(**{"weight": np.ones(3), **options}, path=tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())
