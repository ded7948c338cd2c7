"""Attention graphs in onnxruntime and in our backend, against torch and against the oracle of Attention."""

import in_runtimes
import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.export import attention
from softops.opset import operator

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = [9, 11, 13, 17, 21, 23, 24, NEWEST]
DTYPES = {
    name: np.dtype(getattr(ml_dtypes, name, name)) for name in ("float32", "float64", "float16", "bfloat16")
}


def in_onnxruntime(model, feeds):
    return in_runtimes.in_onnxruntime(model, feeds)[0]


def in_softops(model, feeds):
    return in_runtimes.in_softops(model, feeds)[0]


RUNTIMES = [in_onnxruntime, in_softops]


def tolerance(dtype):
    """
    Rounded once to the dtype, numbers below 4; in its computation sums of 8 products below 2^4 and of 6.

    The scores are off by at most 10 units of 2^4 in float32, which is 1e-5 of each probability.
    """
    eps = float(ml_dtypes.finfo(dtype).eps)
    return {"rtol": 0, "atol": 160 * eps if dtype.itemsize > 2 else 2 * eps + 2e-5}


def feeds_for(*, heads=4, kv_heads=2, s=5, t=6, d=8, e=3, dtype="float32", mask=None, seed=0, shape=None):
    rng = np.random.default_rng(seed)
    kind = DTYPES[dtype]
    feeds = {
        name: rng.standard_normal(dims).astype(kind)
        for name, dims in (
            ("query", (2, heads, s, d)), ("key", (2, kv_heads, t, d)), ("value", (2, kv_heads, t, e))
        )
    }  # fmt: skip
    shape = (2, 1, s, t) if shape is None else shape
    if mask is not None:
        allowed = rng.random(shape) < 0.6
        if allowed.ndim > 1:
            allowed[..., -1, :] = False  # a query, or all of them, that no key is left for
        feeds["mask"] = allowed
    if mask == "additive":
        feeds["mask"] = np.where(allowed, rng.standard_normal(shape), -np.inf).astype(kind)
    return feeds


def exact(feeds, **attributes):
    inputs = [feeds["query"], feeds["key"], feeds["value"], feeds.get("mask")]
    (y,) = operator("Attention", 24).evaluate(inputs, attributes, rounded=False)
    return y.astype(np.float64)


def assert_close(got, expected, dtype):
    assert got.dtype == dtype
    np.testing.assert_allclose(got.astype(np.float64), expected, **tolerance(dtype))


@pytest.mark.parametrize("mask", [None, "boolean", "additive"])
@pytest.mark.parametrize(
    ("opset", "dtype"),  # bfloat16 came with opset 13
    [(opset, dtype) for opset in OPSETS for dtype in DTYPES if dtype != "bfloat16" or opset >= 13],
)
def test_every_mask_at_every_opset(opset, dtype, mask):
    feeds = feeds_for(dtype=dtype, mask=mask)
    asked = {"mask": mask, "mask_axes": ("batch", 1, "queries", "keys"), "kv_heads": 2, "value_size": 3}
    model = attention(4, 8, **asked, opset=opset, dtype=DTYPES[dtype])
    expected = exact(feeds)
    if mask is not None:
        assert np.all(expected[:, :, -1] == 0)
        assert np.any(expected)
    for run in RUNTIMES:
        if run is in_onnxruntime and dtype == "bfloat16":
            continue  # its Python interface has no bfloat16
        assert_close(run(model, feeds), expected, DTYPES[dtype])


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("opset", "operator"), [(n, False) for n in OPSETS] + [(n, True) for n in OPSETS if n >= 23]
)
def test_every_rule_at_once(run, opset, dtype, operator):
    feeds = feeds_for(dtype=dtype, mask="additive", seed=1)
    folded = {
        name: x if name == "mask" else x.transpose(0, 2, 1, 3).reshape(2, x.shape[2], -1)
        for name, x in feeds.items()
    }
    rules = {"causal": True, "softcap": 0.75, "scale": 0.5}
    asked = {"mask": "additive", "mask_axes": ("batch", 1, "queries", "keys"), "kv_heads": 2, "value_size": 3}
    model = attention(4, 8, **asked, **rules, folded=True, operator=operator, opset=opset, dtype=dtype)
    assert operator == ("Attention" in {node.op_type for node in model.graph.node})
    expected = exact(feeds, is_causal=1, softcap=0.75, scale=0.5).transpose(0, 2, 1, 3).reshape(2, 5, 12)
    assert_close(run(model, folded), expected, DTYPES[dtype])


@pytest.mark.parametrize("mask", ["boolean", "additive"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("opset", [7, 8])
@pytest.mark.parametrize("run", RUNTIMES)
def test_before_where_fixed_lengths_do(run, opset, dtype, mask):
    if run is in_onnxruntime and (opset, dtype, mask) == (7, "float64", "additive"):
        pytest.skip("onnxruntime has no kernel for Max of doubles at opset 7")
    feeds = feeds_for(dtype=dtype, mask=mask, seed=2)
    asked = {"mask": mask, "mask_axes": ("batch", 1, "queries", "keys"), "kv_heads": 2, "value_size": 3}
    model = attention(4, 8, **asked, causal=True, queries=5, keys=6, opset=opset, dtype=dtype)
    assert_close(run(model, feeds), exact(feeds, is_causal=1), DTYPES[dtype])


@pytest.mark.parametrize("opset", [9, 13, 21, 24])
@pytest.mark.parametrize("masked", ["none", "boolean", "additive", "causal"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_agrees_with_torch(opset, masked, dtype):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    mask = masked if masked in ("boolean", "additive") else None
    feeds = feeds_for(dtype=dtype, mask=mask, shape=(5, 6), seed=3)
    causal = masked == "causal"
    model = attention(4, 8, kv_heads=2, value_size=3, mask=mask, causal=causal, opset=opset, dtype=dtype)
    tensors = {name: torch.from_numpy(x).to(torch.float64) for name, x in feeds.items() if name != "mask"}
    given = None if mask is None else torch.from_numpy(feeds["mask"])
    if mask == "additive":
        given = given.to(torch.float64)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *tensors.values(), attn_mask=given, is_causal=causal, enable_gqa=True
    )
    assert_close(in_onnxruntime(model, feeds), expected.numpy(), DTYPES[dtype])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8),
    st.integers(1, 4), st.sampled_from([None, "boolean", "additive"]), st.booleans(), st.integers(0, 7),
    st.integers(1, 4), st.sampled_from([9, 13, 23, 24]), st.integers(0, 10**6),
)  # fmt: skip
def test_any_shape_runs_alike_in_both(g, group, s, t, d, e, mask, causal, differs, rank, opset, seed):
    names = ("batch", "heads", "queries")
    axes = [name if differs >> i & 1 else 1 for i, name in enumerate(names)]
    axes = (*axes, "keys")[4 - rank :]
    sizes = {"batch": 2, "heads": g * group, "queries": s, "keys": t}
    shape = [sizes.get(axis, 1) for axis in axes]
    feeds = feeds_for(heads=g * group, kv_heads=g, s=s, t=t, d=d, e=e, mask=mask, shape=shape, seed=seed)
    model = attention(
        g * group, d, kv_heads=g, value_size=e, mask=mask, mask_axes=axes, causal=causal, opset=opset
    )
    expected = exact(feeds, is_causal=int(causal))
    for run in RUNTIMES:
        assert_close(run(model, feeds), expected, DTYPES["float32"])


@pytest.mark.parametrize("opset", [9, 17, 24])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_mask_that_excludes_nothing_changes_no_bit(opset, dtype):
    feeds = feeds_for(dtype=dtype)
    asked = {"kv_heads": 2, "value_size": 3, "opset": opset, "dtype": DTYPES[dtype]}
    plain = in_softops(attention(4, 8, **asked), feeds)
    masked = attention(4, 8, mask="boolean", mask_axes=("batch", 1, "queries", "keys"), **asked)
    np.testing.assert_array_equal(in_softops(masked, feeds | {"mask": np.ones((2, 1, 5, 6), bool)}), plain)
