"""Boltzmann policies, in onnxruntime and in our backend, against their formula and the kernels."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_runtimes import in_onnxruntime, in_softops

from softops import numba_kernels
from softops.export import policy_head

OPSETS = [7, 8, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
ALL = ("probabilities", "log_probabilities", "action_log_probability", "greedy_action", "sampled_action")
RANDOM = np.random.default_rng(7)
LOGITS = RANDOM.normal(size=(6, 5)) * 3
LEGAL = RANDOM.random((6, 5)) > 0.4
LEGAL[2] = False
ACTION = np.array([0, 1, 2, 3, 4, 0])
NOISE = RANDOM.gumbel(size=(6, 5))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


RUNTIMES = [in_onnxruntime, in_softops]


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", BFLOAT16], ids=str)
def test_everything_at_every_opset(run, opset, dtype):
    dtype = np.dtype(dtype)
    if run is in_onnxruntime and (opset, dtype) == (7, np.float64):
        pytest.skip("onnxruntime has Min of opset 7 in float32 only")
    if dtype == BFLOAT16 and (opset < 13 or run is in_onnxruntime):
        pytest.skip("bfloat16 came with opset 13, and onnxruntime gives no NumPy arrays of it")
    model = policy_head(5, temperature="input", legal_mask=True, outputs=ALL, opset=opset, dtype=dtype)
    logits, noise, temperature = LOGITS.astype(dtype), NOISE.astype(dtype), np.array([0.75], dtype)
    feeds = {
        "logits": logits,
        "temperature": temperature,
        "legal_actions": LEGAL,
        "action": ACTION,
        "gumbel_noise": noise,
    }
    p, logs, chosen, greedy, sampled = run(model, feeds)
    assert {p.dtype, logs.dtype, chosen.dtype} == {dtype}
    assert {greedy.dtype, sampled.dtype} == {np.dtype(np.int64)}
    expected = numba_kernels.softmax(logits.astype(np.float64), temperature=0.75, where=LEGAL)
    expected_logs = numba_kernels.log_softmax(logits.astype(np.float64), temperature=0.75, where=LEGAL)
    # Two roundings of numbers up to 16, one of the result, and the exponential's.
    eps = float(ml_dtypes.finfo(dtype).eps)
    close = {
        "rtol": 4 * eps,
        "atol": 32 * float(ml_dtypes.finfo(p.dtype).eps if dtype.itemsize > 2 else 1e-7),
    }
    np.testing.assert_allclose(p.astype(np.float64), expected, **close)
    np.testing.assert_allclose(logs.astype(np.float64), expected_logs, **close)
    assert (p[2] == 0).all()
    assert np.isneginf(logs[2]).all()
    np.testing.assert_array_equal(chosen, logs[np.arange(6), ACTION])
    np.testing.assert_array_equal(greedy, np.where(LEGAL, logits.astype(np.float64), -np.inf).argmax(1))
    np.testing.assert_array_equal(sampled, (expected_logs + noise.astype(np.float64)).argmax(1))


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 30)),
    temperature=st.floats(0.01, 100),
    opset=st.sampled_from(OPSETS),
    legal=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_shape_and_temperature_runs_alike_in_both(shape, temperature, opset, legal, seed):
    random = np.random.default_rng(seed)
    model = policy_head(
        shape[1],
        temperature=temperature,
        legal_mask=legal,
        outputs=["greedy_action", "probabilities"],
        opset=opset,
    )
    feeds = {"logits": random.normal(size=shape).astype(np.float32)}
    mask = random.random(shape) > 0.5 if legal else np.ones(shape, bool)
    if legal:
        feeds["legal_actions"] = mask
    expected = numba_kernels.softmax(feeds["logits"].astype(np.float64), temperature=temperature, where=mask)
    for run in RUNTIMES:
        greedy, p = run(model, feeds)
        # The quotient is rounded, up to 700 of them away from the largest: 700 · 2⁻²⁴ of the probability.
        np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-7)
        assert mask[mask.any(1), greedy[mask.any(1)]].all()


@pytest.mark.parametrize("run", RUNTIMES)
def test_a_temperature_near_0_is_the_greedy_policy(run):
    model = policy_head(3, temperature="input", outputs=["probabilities", "log_probabilities"])
    feeds = {"logits": np.array([[1e3, 1e4, -1e4]], np.float32), "temperature": np.array([1e-38], np.float32)}
    p, logs = run(model, feeds)
    assert p.tolist() == [[0, 1, 0]]
    assert logs.tolist() == [[-np.inf, 0, -np.inf]]


@pytest.mark.parametrize("run", RUNTIMES)
def test_what_is_not_legal_does_not_matter(run):
    logits = np.array([[np.nan, 1, np.inf, 2]], np.float32)
    legal = np.array([[False, True, False, True]])
    model = policy_head(4, legal_mask=True, outputs=["probabilities", "greedy_action"], opset=17)
    p, greedy = run(model, {"logits": logits, "legal_actions": legal})
    np.testing.assert_allclose(p, [[0, 1 / (1 + np.e), 0, np.e / (1 + np.e)]], rtol=1e-6)
    assert greedy.tolist() == [3]


@pytest.mark.parametrize("run", RUNTIMES)
def test_gumbel_noise_draws_from_the_probabilities(run):
    model = policy_head(3, temperature=2.0, outputs=["probabilities", "sampled_action"])
    count = 20_000
    logits = np.tile(np.array([0.0, 1, 3], np.float32), (count, 1))
    noise = np.random.default_rng(1).gumbel(size=(count, 3)).astype(np.float32)
    p, sampled = run(model, {"logits": logits, "gumbel_noise": noise})
    # five standard deviations of a share of 20,000 draws
    np.testing.assert_allclose(
        np.bincount(sampled, minlength=3) / count, p[0], atol=5 * np.sqrt(0.25 / count)
    )


@pytest.mark.parametrize(
    ("run", "opsets"),
    [
        (in_onnxruntime, (7, 13, 21)),
        (in_softops, (7, 13, 21, OPSETS[-1])),
    ],  # onnxruntime has no Multinomial-22
)
def test_multinomial_draws_from_the_probabilities_and_repeats_with_a_seed(run, opsets):
    options = {"legal_mask": True, "sampling": "multinomial", "outputs": ["probabilities", "sampled_action"]}
    count = 20_000
    feeds = {
        "logits": np.tile(np.array([0.0, 1, 3], np.float32), (count, 1)),
        "legal_actions": np.tile(np.array([True, False, True]), (count, 1)),
    }
    for opset in opsets:
        model = policy_head(3, seed=3, opset=opset, **options)
        p, sampled = run(model, feeds)
        np.testing.assert_array_equal(run(model, feeds)[1], sampled)
        assert sampled.dtype == np.int64
        shares = np.bincount(sampled, minlength=3) / count
        np.testing.assert_allclose(shares, p[0], atol=5 * np.sqrt(0.25 / count))
        assert shares[1] == 0


@pytest.mark.parametrize("run", RUNTIMES)
def test_the_last_layer_may_be_part_of_it(run):
    weight, bias, x = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4), RANDOM.normal(size=(5, 3))
    model = policy_head(weight=weight, bias=bias, outputs=["probabilities"])
    (p,) = run(model, {"features": x})
    np.testing.assert_allclose(p, numba_kernels.softmax(x @ weight.T + bias), rtol=1e-13)


def test_options_and_bytes(tmp_path):
    path = tmp_path / "policy.onnx"
    model = policy_head(
        3,
        temperature=0.5,
        names={"logits": "q"},
        batch=2,
        metadata={"game": "chess"},
        doc_string="what it is",
        path=path,
    )
    assert path.read_bytes() == model.SerializeToString(deterministic=True)
    again = policy_head(
        3,
        temperature=0.5,
        names={"logits": "q"},
        batch=2,
        metadata={"game": "chess"},
        doc_string="what it is",
    )
    assert again.SerializeToString(deterministic=True) == path.read_bytes()
    assert [value.name for value in model.graph.input] == ["q"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["softops.temperature"] == "0.5"
    assert metadata["game"] == "chess"
    assert policy_head(3, for_runtime="onnxruntime==1.17").opset_import[0].version == 20


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "either the number of actions or the weight.*neither", {}),
        (ValueError, "either the number of actions or the weight.*both", {"actions": 2, "weight": np.eye(2)}),
        (ValueError, "no bias without a weight", {"actions": 2, "bias": [0.0, 1.0]}),
        (TypeError, "actions as an integer.*True", {"actions": True}),
        (ValueError, r"actions from 1 to \d+ \(got 0\)", {"actions": 0}),
        (ValueError, "temperature above 0.*got 0", {"actions": 2, "temperature": 0}),
        (ValueError, "nan", {"actions": 2, "temperature": np.nan}),
        (ValueError, "number or 'input'.*'hot'", {"actions": 2, "temperature": "hot"}),
        (ValueError, "one number|as many", {"actions": 2, "temperature": [1.0, 2.0]}),
        (ValueError, "outputs among.*'q'", {"actions": 2, "outputs": ["q"]}),
        (TypeError, "outputs as a list", {"actions": 2, "outputs": "probabilities"}),
        (ValueError, "at least one", {"actions": 2, "outputs": []}),
        (ValueError, "sampling among.*'normal'", {"actions": 2, "sampling": "normal"}),
        (ValueError, "a seed only for", {"actions": 2, "seed": 1}),
        (TypeError, "seed as a number .got '1'.", {"actions": 2, "seed": "1"}),
        (
            ValueError,
            "whole number",
            {"actions": 2, "seed": np.nan, "sampling": "multinomial", "outputs": ["sampled_action"]},
        ),
        (ValueError, r"weight of finite.*nan at \[0, 1\]", {"weight": [[1.0, np.nan]]}),
        (TypeError, "options among.*'colour'", {"actions": 2, "colour": "red"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments_write_nothing(error, message, arguments, tmp_path):
    with pytest.raises(error, match=message):
        policy_head(**arguments, path=tmp_path / "policy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_or_action_that_does_not_fit_is_refused_when_run():
    model = policy_head(3, legal_mask=True, outputs=["action_log_probability"])
    good = {
        "logits": np.zeros((2, 3), np.float32),
        "legal_actions": np.ones((2, 3), bool),
        "action": np.array([0, 2]),
    }
    for run in RUNTIMES:
        run(model, good)
        with pytest.raises(Exception, match=r"(?i)expected|invalid"):
            run(model, good | {"legal_actions": np.ones((2, 4), bool)})
        for action in ([0, 3], [0, -4]):
            with pytest.raises(Exception, match=r"(?i)out of|bounds"):
                run(model, good | {"action": np.array(action)})
