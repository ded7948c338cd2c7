"""What Attention refuses: the message says what was expected, what came and what to do."""

import numpy as np
import pytest

from softops.opset import operator

Q, K, V = (np.zeros((2, heads, length, 4), np.float32) for heads, length in ((4, 3), (2, 5), (2, 5)))
FOLDED = [np.zeros((2, 3, 16), np.float32), np.zeros((2, 5, 8), np.float32), np.zeros((2, 5, 8), np.float32)]
PAST = np.zeros((2, 2, 6, 4), np.float32)
VALID = np.array([5, 3])


@pytest.mark.parametrize(
    ("inputs", "attributes", "options", "expected"),
    [
        ([Q, K], {}, {}, r"needs its input V \(got none\)"),
        ([Q, K, None, Q], {}, {}, r"needs its input V \(got none\)"),
        ([Q, K, V, *[None] * 3, VALID], {}, {"version": 23}, r"takes at most 6 inputs, Q, K, .* \(got 7\)"),
        ([Q, K, V], {}, {"outputs": 5}, r"has 4 outputs \(got outputs=5\)"),
        (
            [Q, K, V],
            {"window": 1},
            {},
            r"Attention-25 expected no attributes but is_causal, .* \(got window\)",
        ),
        (
            [Q, K, V],
            {"left_window_size": 1},
            {"version": 24},
            r"Attention-24 expected no attributes but .* \(got left_window_size\)",
        ),
        ([Q, K, V], {"left_window_size": -2}, {}, r"left_window_size to be -1 or more \(got -2\)"),
        ([Q, K, V], {"is_causal": 2}, {}, r"is_causal to be 0 or 1 \(got 2\)"),
        ([Q, K, V], {"qk_matmul_output_mode": 4}, {}, r"mode to be 0, 1, 2 or 3 \(got 4\)"),
        ([Q, K, V], {"softmax_precision": 7}, {}, r"softmax_precision to be 1 \(float\), .* \(got 7\)"),
        ([Q, K, V], {"scale": -1.0}, {}, r"scale to be finite and not below 0 \(got -1.0\)"),
        ([Q, K, V], {"softcap": float("nan")}, {}, r"softcap to be finite \(got nan\)"),
        ([Q, K, V[0]], {}, {}, r"rank 3 or of rank 4 \(got ranks \(4, 4, 3\)\)"),
        (FOLDED, {"q_num_heads": 4}, {}, r"q_num_heads and kv_num_heads with 3-D .*\(got \(4, None\)\)"),
        (FOLDED, {"q_num_heads": 3, "kv_num_heads": 1}, {}, r"dimension of Q .* its 3 heads \(got 16\)"),
        (FOLDED, {"q_num_heads": 4, "kv_num_heads": 4}, {}, r"heads of Q and K of one size \(got 4 and 2\)"),
        ([Q, K, V], {"q_num_heads": 4}, {}, r"no q_num_heads .* of 4 and 2 heads \(got \(4, None\)\)"),
        ([Q, K, V], {"q_num_heads": 2}, {"version": 24}, r"no q_num_heads .* \(got \(2, None\)\)"),
        ([Q[:, :3], K, V], {}, {}, r"a multiple of those of K and V \(got 3 and 2\)"),
        ([Q, K, V[:, :1]], {}, {}, r"expected 2 heads in V \(got 1\)"),
        ([Q, K[..., :2], V], {}, {}, r"heads of Q and K of one size \(got 4 and 2\)"),
        ([Q[:1], K, V], {}, {}, r"of one batch size \(got \(1, 2, 2\)\)"),
        ([Q, K, V[:, :, :3]], {}, {}, r"as many keys as values \(got 5 and 3\)"),
        ([Q, K, V, None, PAST], {}, {}, r"past_key and past_value together \(got no past_value\)"),
        (
            [Q, K, V, None, PAST, PAST[:, :, 1:]],
            {},
            {},
            r"past_value of shape \(2, 2, 6, 4\) \(got \(2, 2, 5",
        ),
        ([Q, K, V, None, PAST[0], PAST[0]], {}, {}, r"past_key of shape .* \(got \(2, 6, 4\)\)"),
        ([Q, K, V, None, PAST, PAST, VALID], {}, {}, r"no past .* nonpad_kv_seqlen \(got past_key\)"),
        ([Q, K, V, None, None, None, VALID], {}, {"outputs": 3}, r"\(got present_key\); a cache is either"),
        ([Q, K, V, None, None, None, VALID[:1]], {}, {}, r"nonpad_kv_seqlen of shape \(2,\) \(got \(1,\)\)"),
        ([Q, K, V, None, None, None, VALID + 1], {}, {}, r"from 0 to the 5 keys \(got \[6, 4\]\)"),
        (
            [Q, K, V, np.zeros((3, 6), bool)],
            {},
            {},
            r"attn_mask to broadcast to .*\(2, 4, 3, 5\) \(got \(3, 6\)",
        ),
        ([Q, K, V, np.zeros((3, 4), bool)], {}, {"version": 23}, r"attn_mask to broadcast .* \(got \(3, 4\)"),
        ([Q, K, V, np.zeros((2, 3, 5), bool)], {}, {}, r"a mask for each sample has shape \(2, 1, 3, 5\)"),
        ([Q, K, V, np.zeros((1, 1, 1, 3, 5), bool)], {}, {}, r"attn_mask to broadcast"),
    ],
)
@pytest.mark.parametrize("method", ["run", "evaluate"])
def test_wrong_values_are_refused(method, inputs, attributes, options, expected):
    row = operator("Attention", options.get("version", 25))
    with pytest.raises(ValueError, match=expected):
        getattr(row, method)(inputs, attributes, outputs=options.get("outputs", 1))


@pytest.mark.parametrize(
    ("inputs", "attributes", "expected"),
    [
        ([Q.astype(int), K, V], {}, r"takes bfloat16, .* or float64 \(got int64\); convert"),
        ([Q, K.astype(np.float64), V], {}, r"takes K of the dtype of its other T1 inputs, float32 \(got f"),
        ([Q, K, V, None, PAST.astype(np.float16), PAST], {}, r"past_key of the dtype of its other T1"),
        (
            [Q, K, V, np.zeros((3, 5), complex)],
            {},
            r"takes uint8, .* or bool as attn_mask \(got complex128\)",
        ),
        ([Q, K, V, None, None, None, VALID.astype(np.int32)], {}, r"int64 as nonpad_kv_seqlen \(got int32\)"),
        ([Q, K, V], {"scale": "half"}, r"scale as a number \(got 'half'\); pass such a value"),
        ([Q, K, V], {"is_causal": 0.5}, r"is_causal as an integer \(got 0.5\); pass such a value"),
    ],
)
def test_wrong_types_are_refused(inputs, attributes, expected):
    with pytest.raises(TypeError, match=expected):
        operator("Attention", 25).run(inputs, attributes)


def test_a_cache_outside_the_node_may_have_present_outputs_before_version_25():
    got = operator("Attention", 24).run([Q, K, V, None, None, None, VALID], outputs=3)
    assert [x.shape for x in got] == [Q.shape, K.shape, V.shape]
