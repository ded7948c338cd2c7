"""The sampler of a language model's head: fed with the kernels' noise it draws what the kernels draw."""

import itertools
import json

import numpy as np
import onnx
import pytest
from in_runtimes import in_onnxruntime, in_softops

from softops.export import lm_head
from softops.numba_kernels import gumbel_noise, sample

OPSETS = [11, 13, 18, onnx.defs.onnx_opset_version()]
RANDOM = np.random.default_rng(4)
ROWS, TOKENS, WIDTH = 40, 60, 6
WEIGHT, STATES = RANDOM.normal(size=(TOKENS, WIDTH)), RANDOM.normal(size=(ROWS, WIDTH))
FILTERS = [
    {},
    {"top_k": 7},
    {"top_k": 1000},
    {"top_p": 0.8},
    {"top_p": 0.0},
    {"top_p": 1.0},
    {"min_p": 0.2},
    {"top_k": 20, "top_p": 0.7, "min_p": 0.1},
]


RUNTIMES = [in_onnxruntime, in_softops]


def assert_draws(run, sampling, temperature, *, opset=17, vocabulary=None):
    """In float64, where rounding decides nothing."""
    model = lm_head(
        WEIGHT, sample=sampling, temperature=temperature, sequence=None, opset=opset, vocabulary=vocabulary
    )
    logits = STATES @ WEIGHT.T
    if vocabulary is not None:
        logits[:, vocabulary:] = -np.inf
    expected = sample(logits, 5, temperature=temperature or 1.0, seed=3, **sampling)
    for draw in range(5):
        feeds = {"hidden_states": STATES, "gumbel_noise": gumbel_noise((ROWS, TOKENS), seed=3, draw=draw)}
        (token,) = run(model, feeds)
        assert token.dtype == np.int64
        np.testing.assert_array_equal(token, expected[:, draw])


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("sampling", FILTERS, ids=str)
def test_draws_are_those_of_the_kernel(run, sampling):
    for order in ("hugging-face", "vllm", "llama.cpp", "mlx"):
        assert_draws(run, {**sampling, "order": order}, 1.7)
    assert_draws(run, sampling, None)
    assert_draws(run, sampling, 0.6, vocabulary=45)


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_and_order(opset):
    for order in itertools.permutations(("temperature", "top_k", "top_p", "min_p")):
        sampling = {"top_k": 20, "top_p": 0.7, "min_p": 0.15, "order": order}
        assert_draws(in_onnxruntime, sampling, 1.4, opset=opset)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_other_dtypes(dtype):
    """But for draws that rounding may decide."""
    model = lm_head(
        WEIGHT.astype(dtype),
        temperature="input",
        sequence=None,
        sample={"top_k": 9},
        outputs=["sampled_token", "logits"],
    )
    noise = gumbel_noise((ROWS, TOKENS), seed=3).astype(np.float32)
    feeds = {
        "hidden_states": STATES.astype(dtype),
        "temperature": np.array([0.8], dtype),
        "gumbel_noise": noise,
    }
    for run in RUNTIMES:
        token, logits = run(model, feeds)
        expected = sample(logits, temperature=float(feeds["temperature"][0]), top_k=9, seed=3)[:, 0]
        assert (token != expected).sum() <= (2 if dtype == "float16" else 0)


def test_outputs_metadata_and_inputs():
    model = lm_head(WEIGHT, sample={"top_p": 0.9, "order": "mlx"}, top_k=3)
    assert [o.name for o in model.graph.output] == ["sampled_token", "top_k_values", "top_k_indices"]
    assert [i.name for i in model.graph.input] == ["hidden_states", "gumbel_noise"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    order = ["top_p", "min_p", "top_k", "temperature"]
    assert json.loads(metadata["softops.sample"]) == {"top_p": 0.9, "order": order}


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (TypeError, "sample as a dict", {"sample": True}),
        (TypeError, "options among top_k.*'topk'.*did you mean top_k", {"sample": {"topk": 5}}),
        (ValueError, "opset 11 or newer for sample", {"sample": {}, "opset": 10}),
        (ValueError, "takes a top_k from 1 on", {"sample": {"top_k": 0}}),
        (ValueError, "takes an order of", {"sample": {"order": "x"}}),
        (ValueError, "has no min_p", {"sample": {"order": "onnxruntime-genai", "min_p": 0.5}}),
        (ValueError, "temperature among the order", {"sample": {"order": ("top_k",)}, "temperature": 2}),
        (ValueError, "the output sampled_token", {"sample": {}, "outputs": ["logits"]}),
        (ValueError, "outputs among.*got 'sampled_token'", {"outputs": ["sampled_token"]}),
    ],
)
def test_what_it_refuses(error, message, arguments):
    with pytest.raises(error, match=message):
        lm_head(WEIGHT, **arguments)
