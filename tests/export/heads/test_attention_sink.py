"""Attention with sinks against its formula and the kernels, in onnxruntime, OpenVINO and our backend."""

import in_runtimes
import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops import numba_kernels
from softops.conformance.runtimes.openvino import from_options
from softops.export import attention

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = [7, 8, 9, 12, 13, 17, NEWEST]
DTYPES = {
    name: np.dtype(getattr(ml_dtypes, name, name)) for name in ("float32", "float64", "float16", "bfloat16")
}
SINKS = np.array([0.5, -np.inf, 3, -2])
FULL = ("batch", "heads", "queries", "keys")


def in_onnxruntime(model, feeds):
    return in_runtimes.in_onnxruntime(model, feeds)[0]


def in_softops(model, feeds):
    return in_runtimes.in_softops(model, feeds)[0]


def runtimes(dtype):
    """onnxruntime's Python interface has no bfloat16."""
    return [in_softops] if DTYPES[dtype].name == "bfloat16" else [in_softops, in_onnxruntime]


def feeds_for(*, heads=4, kv_heads=2, s=5, t=6, d=8, e=3, dtype="float32", mask=None, seed=0):
    rng = np.random.default_rng(seed)
    feeds = {
        name: rng.standard_normal(dims).astype(DTYPES[dtype])
        for name, dims in (
            ("query", (2, heads, s, d)), ("key", (2, kv_heads, t, d)), ("value", (2, kv_heads, t, e))
        )
    }  # fmt: skip
    if mask is not None:
        allowed = rng.random((2, heads, s, t)) < 0.6
        allowed[..., -1, :] = False  # a query that no key is left for
        biased = np.where(allowed, rng.standard_normal(allowed.shape), -np.inf).astype(DTYPES[dtype])
        feeds["mask"] = allowed if mask == "boolean" else biased
    return feeds


def exact(feeds, sink, *, causal=False, scale=None, softcap=None):
    """The formula, written out in long double; a query without any key gives 0."""
    q, k, v = (feeds[name].astype(np.longdouble) for name in ("query", "key", "value"))
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    scores = q @ k.swapaxes(2, 3) * (scale or 1 / np.sqrt(np.longdouble(q.shape[3])))
    if softcap is not None:
        scores = softcap * np.tanh(scores / softcap)
    mask = feeds.get("mask", np.zeros(1))
    scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask.astype(np.longdouble)
    if causal:
        scores[..., np.triu(np.ones(scores.shape[2:], bool), 1)] = -np.inf
    sink = np.broadcast_to(np.asarray(sink, np.longdouble)[:, None, None], (*scores.shape[:3], 1))
    best = np.maximum(scores.max(axis=3, keepdims=True), sink)
    best[np.isneginf(best)] = 0
    chances = np.exp(scores - best)
    total = chances.sum(axis=3, keepdims=True) + np.exp(sink - best)
    return (chances / np.where(total == 0, 1, total) @ v).astype(np.float64)


def assert_close(got, expected, dtype):
    """The bound of tests/export/heads/test_attention.py: a sink makes probabilities smaller only."""
    assert got.dtype == DTYPES[dtype]
    eps = float(ml_dtypes.finfo(DTYPES[dtype]).eps)
    atol = 160 * eps if got.itemsize > 2 else 2 * eps + 2e-5
    np.testing.assert_allclose(got.astype(np.float64), expected, rtol=0, atol=atol)


def fold(x):
    return x.transpose(0, 2, 1, 3).reshape(len(x), x.shape[2], -1)


@pytest.mark.parametrize("mask", [None, "boolean", "additive"])
@pytest.mark.parametrize(
    ("opset", "dtype"),  # bfloat16 came with opset 13
    [(opset, dtype) for opset in OPSETS for dtype in DTYPES if dtype != "bfloat16" or opset >= 13],
)
def test_every_mask_at_every_opset(opset, dtype, mask):
    feeds = feeds_for(dtype=dtype, mask=mask)
    asked = {"kv_heads": 2, "value_size": 3, "mask": mask, "mask_axes": FULL, "sink": SINKS}
    model = attention(4, 8, **asked, opset=opset, dtype=DTYPES[dtype])
    expected = exact(feeds, SINKS)
    if mask is not None:
        assert np.all(expected[:, :, -1] == 0)
        assert np.any(expected)
    for run in runtimes(dtype):
        if run is in_onnxruntime and (opset, dtype, mask) == (7, "float64", "additive"):
            continue  # it has no kernel for Max of doubles at opset 7
        assert_close(run(model, feeds), expected, dtype)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_rule_at_once_agrees_with_the_kernel(opset, dtype):
    """The sink is neither scaled nor capped nor masked."""
    feeds = feeds_for(dtype=dtype, mask="additive", seed=1)
    rules = {"causal": True, "softcap": 0.75, "scale": 0.5}
    model = attention(
        4, 8, kv_heads=2, value_size=3, mask="additive", mask_axes=FULL, queries=5, keys=6, **rules,
        sink=SINKS, folded=True, opset=opset, dtype=dtype,
    )  # fmt: skip
    q, k, v, mask = feeds.values()
    kernel = numba_kernels.attention(
        q, k, v, mask=mask, is_causal=True, softcap=0.75, scale=0.5, sink=SINKS.astype(dtype)
    )
    expected = exact(feeds, SINKS, **rules)
    assert_close(kernel, expected, dtype)
    folded = {name: x if name == "mask" else fold(x) for name, x in feeds.items()}
    for run in runtimes(dtype):
        if run is in_onnxruntime and (opset, dtype) == (7, "float64"):
            continue
        got = run(model, folded)
        assert_close(got, fold(expected), dtype)
        assert_close(got, fold(kernel.astype(np.float64)), dtype)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8),
    st.integers(1, 4), st.sampled_from([None, "boolean", "additive"]), st.booleans(),
    st.sampled_from([9, 13, NEWEST]), st.integers(0, 10**6),
)  # fmt: skip
def test_any_shape(g, group, s, t, d, e, mask, causal, opset, seed):
    heads = g * group
    feeds = feeds_for(heads=heads, kv_heads=g, s=s, t=t, d=d, e=e, mask=mask, seed=seed)
    sink = np.random.default_rng(seed).normal(0, 3, heads).astype(np.float32)
    model = attention(
        heads, d, kv_heads=g, value_size=e, mask=mask, mask_axes=FULL, causal=causal, sink=sink, opset=opset
    )
    expected = exact(feeds, sink, causal=causal)
    for run in runtimes("float32"):
        assert_close(run(model, feeds), expected, "float32")


@pytest.mark.parametrize("opset", [7, 8, 9, 13, NEWEST])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_sinks_and_scores_of_any_size_overflow_nowhere(opset, dtype):
    """Sinks far above and below the scores, and scores of up to 70,000, exact in float32, beside sinks like them."""
    rng = np.random.default_rng(2)
    feeds = feeds_for(heads=4, kv_heads=4, dtype=dtype)
    feeds["key"] = rng.integers(-3, 4, feeds["key"].shape).astype(DTYPES[dtype])
    feeds["query"][:, 2:] = 4096 * rng.integers(-3, 4, feeds["query"][:, 2:].shape)
    sink = np.array([30_000, -30_000, 20_480, 0])
    model = attention(4, 8, value_size=3, sink=sink, scale=0.25, opset=opset, dtype=dtype)
    expected = exact(feeds, sink, scale=0.25)
    assert np.all(expected[:, 0] == 0)
    assert 0 < np.count_nonzero(expected[:, 2:]) < expected[:, 2:].size
    for run in runtimes(dtype):
        assert_close(run(model, feeds), expected, dtype)


@pytest.mark.parametrize("opset", OPSETS)
def test_sinks_of_minus_infinity_are_none(opset):
    for mask in (None, "boolean"):
        feeds = feeds_for(mask=mask)
        asked = {"kv_heads": 2, "value_size": 3, "mask": mask, "mask_axes": FULL, "opset": opset}
        plain, without = (
            attention(4, 8, sink=sink, operator=False, **asked) for sink in (None, np.full(4, -np.inf))
        )
        for run in runtimes("float32"):
            assert_close(run(without, feeds), run(plain, feeds).astype(np.float64), "float32")


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_as_an_input_it_gives_the_same_bits(opset, dtype):
    feeds = feeds_for(dtype=dtype, mask="boolean")
    asked = {"kv_heads": 2, "value_size": 3, "mask": "boolean", "mask_axes": FULL, "opset": opset}
    kept, asked_for = (attention(4, 8, sink=sink, dtype=dtype, **asked) for sink in (SINKS, "input"))
    assert [x.name for x in asked_for.graph.input][:5] == ["query", "key", "value", "mask", "sink"]
    for run in runtimes(dtype):
        got = run(asked_for, feeds | {"sink": SINKS.astype(dtype)})
        np.testing.assert_array_equal(got, run(kept, feeds))


@pytest.mark.parametrize("opset", [9, 13, NEWEST])
@pytest.mark.parametrize("sink", [0.0, -np.inf])
def test_special_values(opset, sink):
    """A query without keys gives 0 beside values that are infinite; NaN in a query is NaN in its row alone."""
    feeds = feeds_for(mask="boolean", seed=3)
    feeds["value"][0, 0, 0, 0] = np.inf
    feeds["query"][1, 1, 2, 3] = np.nan
    feeds["mask"][1, 1, 2] = True
    model = attention(
        4, 8, kv_heads=2, value_size=3, mask="boolean", mask_axes=FULL, sink=np.full(4, sink), opset=opset
    )
    for run in runtimes("float32"):
        got = run(model, feeds)
        assert np.all(got[:, :, -1] == 0)
        assert np.all(np.isnan(got[1, 1, 2]))
        assert np.isnan(got[1]).sum() == 3


@pytest.mark.parametrize(("opset", "asked_for"), [(9, False), (13, True), (17, False)])
def test_in_openvino(opset, asked_for):
    """With finite sinks: its ReduceMax of a row of −inf is the lowest number, and such a row NaN without them."""
    pytest.importorskip("openvino")
    feeds = feeds_for(mask="additive", seed=4)
    sink = np.maximum(SINKS, -30)
    model = attention(
        4, 8, kv_heads=2, value_size=3, mask="additive", mask_axes=FULL, causal=True, softcap=2.0,
        sink="input" if asked_for else sink, opset=opset,
    )  # fmt: skip
    if asked_for:
        feeds["sink"] = sink.astype(np.float32)
    (got,) = from_options("precision=f32").load(model.SerializeToString())(feeds)
    assert_close(got, exact(feeds, sink, causal=True, softcap=2.0), "float32")


def test_the_tensors_that_weights_come_as():
    torch = pytest.importorskip("torch", reason="torch is an extra")
    sink = torch.tensor([0.5, -2.0], dtype=torch.bfloat16)
    given, listed = (attention(2, 4, sink=x).SerializeToString() for x in (sink, [0.5, -2]))
    assert given == listed
