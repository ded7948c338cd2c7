"""The oracle of Attention, against the same formula for whole arrays in float64, and against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.opset import operator


def evaluated(inputs, attributes, version=23, outputs=1):
    return operator("Attention", version).evaluate(inputs, attributes, outputs=outputs, rounded=False)


def whole(inputs, attributes, version):
    """Y and the probabilities, all heads at once, masks and rules as one array of what is added."""
    q, k, v, mask, past_key, past_value, valid = (
        x if x is None or i == 3 else x.astype(np.float64) for i, x in enumerate((*inputs, None)[:7])
    )
    folded = q.ndim == 3
    if folded:
        h, g = attributes["q_num_heads"], attributes["kv_num_heads"]
        sizes = [q.shape[2] // h, k.shape[2] // g, v.shape[2] // g]
        q, k, v = (
            np.einsum("nshd->nhsd", x.reshape(*x.shape[:2], count, size))
            for x, count, size in zip((q, k, v), (h, g, g), sizes, strict=True)
        )
    past = 0
    if past_key is not None:
        past = past_key.shape[2]
        k, v = np.concatenate([past_key, k], 2), np.concatenate([past_value, v], 2)
    (n, h, s, d), (_, g, t, e) = q.shape, v.shape
    k, v = (np.repeat(x, h // g, 1) for x in (k, v))
    scores = np.einsum("nhsd,nhtd->nhst", q, k) * attributes.get("scale", d**-0.5)
    if cap := attributes.get("softcap"):
        scores = cap * np.tanh(scores / cap)
    offset = np.full(n, past) if valid is None else valid.astype(int) - s
    i, j = np.arange(s)[:, None] + offset[:, None, None, None], np.arange(t)
    far = t + s + 1
    left, right = (attributes.get(f"{side}_window_size", -1) for side in ("left", "right"))
    seen = (j >= i - (far + t if left < 0 else left)) & (j <= i + (far + s if right < 0 else right))
    if attributes.get("is_causal"):
        seen &= j <= i
    if valid is not None:
        seen &= j < valid[:, None, None, None]
    bias = np.where(seen, 0.0, -np.inf)
    if mask is not None:
        added = np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask.astype(np.float64)
        if version >= 24 and added.ndim and added.shape[-1] < t:
            ends = [(0, 0)] * (added.ndim - 1) + [(0, t - added.shape[-1])]
            added = np.pad(added, ends, constant_values=-np.inf)
        bias = bias + added
    bias = np.broadcast_to(bias, scores.shape)
    parts = np.where(bias == -np.inf, 0, np.exp(scores + bias))
    total = parts.sum(-1, keepdims=True)
    chances = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    y = np.einsum("nhst,nhte->nhse", chances, v)
    return (np.einsum("nhse->nshe", y).reshape(n, s, h * e) if folded else y), chances


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_oracle_agrees_with_the_formula_for_whole_arrays(attention_calls, data):
    inputs, attributes, version = data.draw(attention_calls)
    y, chances = whole(inputs, attributes, version)
    exact = evaluated(inputs, attributes | {"qk_matmul_output_mode": 3}, version, outputs=4)
    # sums of at most 10 products in float64, of numbers of some units: 1e-13 leaves two digits over
    np.testing.assert_allclose(y, exact[0].astype(float), rtol=0, atol=1e-13)
    np.testing.assert_allclose(chances, exact[3].astype(float), rtol=0, atol=1e-13)


@pytest.mark.parametrize("masked", ["none", "bool", "float", "causal"])  # torch takes one of them
@pytest.mark.parametrize("group", [1, 3])
def test_oracle_agrees_with_torch(masked, group):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    causal = masked == "causal"
    rng = np.random.default_rng(3)
    q, k, v = (rng.standard_normal((2, heads, 5, 4)) for heads in (2 * group, 2, 2))
    masks = {"bool": rng.random((2, 1, 5, 5)) < 0.6, "float": rng.standard_normal((5, 5))}
    mask = masks.get(masked)
    if masked == "bool":
        mask[0, 0, 2] = False  # nothing left: 0
    got = evaluated([q, k, v, mask], {"is_causal": int(causal)})[0]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x) for x in (q, k, v)),
        attn_mask=None if mask is None else torch.from_numpy(mask),
        is_causal=causal,
        enable_gqa=group > 1,
    )
    np.testing.assert_allclose(got.astype(float), expected.numpy(), rtol=0, atol=1e-14)


def test_a_score_of_minus_infinity_is_no_mask():
    q, k, v = np.full((1, 1, 1, 1), np.inf), np.full((1, 1, 2, 1), -1.0), np.ones((1, 1, 2, 1))
    assert np.isnan(evaluated([q, k, v], {})[0]).all()
    hidden = [q, k, v, np.zeros((1, 2), bool)]
    assert evaluated(hidden, {})[0] == 0
