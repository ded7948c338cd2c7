"""Language-model heads, in onnxruntime and in our backend, against torch and the formula."""

import json

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_runtimes import in_onnxruntime, in_softops

from softops import numba_kernels
from softops.export import lm_head

OPSETS = [7, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
RANDOM = np.random.default_rng(9)
WEIGHT, BIAS, STATES = RANDOM.normal(size=(20, 6)), RANDOM.normal(size=20), RANDOM.normal(size=(3, 4, 6))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SCORES = ["logits", "log_probabilities", "probabilities"]


RUNTIMES = [in_onnxruntime, in_softops]
in_both = pytest.mark.parametrize("run", RUNTIMES)


def expected(weight, states, *, softcap=None, temperature=1.0, vocabulary=None):
    """Logits, log-probabilities and probabilities in float64."""
    logits = states[:, -1].astype(np.float64) @ weight.astype(np.float64).T
    if softcap is not None:
        logits = softcap * np.tanh(logits / softcap)
    if vocabulary is not None:
        logits[:, vocabulary:] = -np.inf
    scaled = logits / temperature
    return logits, numba_kernels.log_softmax(scaled), numba_kernels.softmax(scaled)


def close(actual, exact, dtype):
    """Six products of size 1 to 8, the division and the exponential in float32 (float64), then one rounding."""
    assert actual.dtype == dtype
    work = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    half = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(actual.astype(np.float64), exact, rtol=half, atol=64 * work)


@in_both
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", BFLOAT16], ids=str)
def test_everything_at_every_opset(run, opset, dtype):
    dtype = np.dtype(dtype)
    if dtype == BFLOAT16 and (opset < 13 or run is in_onnxruntime):
        pytest.skip("bfloat16 came with opset 13, and onnxruntime gives no NumPy arrays of it")
    weight, states = WEIGHT.astype(dtype), STATES.astype(dtype)
    options = {"softcap": 5.0, "temperature": 0.5, "vocabulary": 17}
    model = lm_head(weight, outputs=[*SCORES, "label", "top_k"], top_k=4, opset=opset, **options)
    *scores, label, values, indices, _ = run(model, {"hidden_states": states})
    exact = expected(weight, states, **options)
    for actual, wanted in zip(scores, exact, strict=True):
        close(actual, wanted, dtype)
    assert np.isneginf(scores[0][:, 17:]).all()
    assert (scores[2][:, 17:] == 0).all()
    np.testing.assert_array_equal(label, exact[0].argmax(1))
    np.testing.assert_array_equal(indices, np.argsort(-exact[0], axis=1)[:, :4])
    np.testing.assert_array_equal(values, np.take_along_axis(scores[1], indices, 1))


@settings(max_examples=20, deadline=None)
@given(
    tokens=st.integers(1, 50),
    width=st.integers(1, 12),
    length=st.integers(1, 7),
    opset=st.sampled_from(OPSETS),
    softcap=st.sampled_from([None, 3.0]),
    padding=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_any_shape_and_option(tokens, width, length, opset, softcap, padding, seed):
    random = np.random.default_rng(seed)
    weight = random.normal(size=(tokens + padding, width)).astype(np.float32)
    states = random.normal(size=(2, length, width)).astype(np.float32)
    model = lm_head(weight, softcap=softcap, vocabulary=tokens, opset=opset)
    exact = expected(weight, states, softcap=softcap, vocabulary=tokens)[1]
    for run in RUNTIMES:
        close(run(model, {"hidden_states": states})[0], exact, np.dtype(np.float32))


@in_both
@pytest.mark.parametrize("opset", [9, 17])
def test_tied_weights_are_what_torch_computes(run, opset):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    embedding = torch.nn.Embedding(50, 8)
    head = torch.nn.Linear(8, 50, bias=False)
    head.weight = embedding.weight
    weight = embedding.weight.detach().numpy()
    states = embedding(torch.tensor([[3, 1, 4], [1, 5, 9]]))
    wanted = torch.log_softmax(head(states)[:, -1].double(), 1).detach().numpy()
    model = lm_head(weight, opset=opset)
    close(run(model, {"hidden_states": states.detach().numpy()})[0], wanted, np.dtype(np.float32))
    # as it is: no transposed copy of it in the model
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}["weight"]
    np.testing.assert_array_equal(stored, weight, strict=True)


@in_both
def test_temperature_bias_and_chosen_positions(run):
    model = lm_head(
        WEIGHT, BIAS, temperature="input", sequence=None, top_k=3, labels=[f"t{i}" for i in range(20)]
    )
    states = STATES[:, -1]
    for temperature in (0.25, 4.0):
        values, indices, labels = run(
            model, {"hidden_states": states, "temperature": np.array([temperature])}
        )
        logs = numba_kernels.log_softmax((states @ WEIGHT.T + BIAS) / temperature)
        order = np.argsort(-logs, axis=1)[:, :3]
        np.testing.assert_array_equal(indices, order)
        np.testing.assert_array_equal(labels, np.char.add("t", order.astype(str)))
        np.testing.assert_allclose(values, np.take_along_axis(logs, order, 1), rtol=1e-12)


def test_metadata_axes_and_bytes(tmp_path):
    path = tmp_path / "head.onnx"
    options = {
        "softcap": 30.1,
        "temperature": 0.1,
        "vocabulary": 18,
        "dtype": "float32",
        "sequence": 4,
        "batch": "N",
    }
    model = lm_head(WEIGHT, **options, path=path)
    assert path.read_bytes() == lm_head(WEIGHT, **options).SerializeToString(deterministic=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in (("softcap", 30.1), ("temperature", 0.1), ("vocabulary", 18)):
        assert json.loads(metadata[f"softops.{key}"]) == value
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["N", 4, 6]
    assert lm_head(WEIGHT).graph.input[0].type.tensor_type.shape.dim[1].dim_param == "sequence"


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"weight of finite.*nan at \[1, 0\]", {"weight": [[1.0, 2], [np.nan, 3]]}),
        (ValueError, "different lengths", {"weight": [[1.0], [1.0, 2.0]]}),
        (ValueError, r"got \(0, 3\)", {"weight": np.ones((0, 3))}),
        (ValueError, r"shape \(classes, features\).*\(3,\)", {"weight": np.ones(3)}),
        (ValueError, r"shape \(classes, features\).*\(\)", {"weight": 1.0}),
        (TypeError, "float16 or bfloat16.*int64", {"weight": np.ones((2, 3), int)}),
        (ValueError, r"bias of shape \(20,\)", {"bias": np.ones(3)}),
        (ValueError, "temperature above 0", {"temperature": 0}),
        (ValueError, "softcap above 0.*got 0", {"softcap": 0}),
        (ValueError, "softcap above 0.*nan", {"softcap": np.nan}),
        (TypeError, "softcap as a number", {"softcap": "30"}),
        (ValueError, "vocabulary of at most 20.*got 21", {"vocabulary": 21}),
        (ValueError, r"vocabulary from 1 to \d+ \(got 0\)", {"vocabulary": 0}),
        (ValueError, "top_k from 1 to 7", {"vocabulary": 7, "top_k": 8}),
        (ValueError, "7 labels", {"vocabulary": 7, "labels": ["a"]}),
        (ValueError, "sequence as the name of an axis or its length .got ''.", {"sequence": ""}),
        (TypeError, "sequence as the name of an axis or its length .got 1.5.", {"sequence": 1.5}),
        (ValueError, "of its own for the batch axis .got 'sequence' twice", {"batch": "sequence"}),
        (ValueError, "no zipmap", {"zipmap": True}),
        (TypeError, "external_from as an integer", {"external_from": "2GB"}),
        (TypeError, "options among.*'tied'", {"tied": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments_write_nothing(error, message, arguments, tmp_path):
    with pytest.raises(error, match=message):
        lm_head(**{"weight": WEIGHT} | arguments, path=tmp_path / "head.onnx")
    assert list(tmp_path.iterdir()) == []
