"""The examples of docs/kernels.md, run as written, one after another."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def test_examples_give_what_the_page_says():
    names = {}
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), names)
    scores = np.random.default_rng(0).normal(size=(64, 1000)).astype(np.float32)
    np.testing.assert_allclose(names["probabilities"], softmax(scores, 1), rtol=1e-5)
    np.testing.assert_allclose(names["per_column"], softmax(scores, 0), rtol=1e-5)
    np.testing.assert_array_equal(names["scores"], names["probabilities"])
    assert names["log_sums"].shape == (64, 1)
    p = softmax(names["logits"], 1)
    np.testing.assert_allclose(names["entropies"], -(p * np.log(p)).sum(1), rtol=1e-13)
    np.testing.assert_allclose(names["means"], 1, rtol=1e-15)
    np.testing.assert_allclose(names["sums"], np.log([10, 26, 42]), rtol=1e-15)
    whole = np.concatenate([names["left"], names["right"]], axis=1)
    np.testing.assert_allclose(names["p_left"], softmax(whole, 1)[:, :300], rtol=1e-13)
    np.testing.assert_allclose(names["chosen"].sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(names["smoother"].sum(0), 1, rtol=1e-6)
    assert (names["chosen"] == 0).any()
    scores = names["features"] @ names["of_vocabulary"].T
    np.testing.assert_allclose(names["p_next"], softmax(scores / 0.8, 1), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(names["classes"], np.argsort(-scores, axis=1)[:, :5])
    np.testing.assert_allclose(names["next_token"][0], names["out"][0, :, -1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(names["dv"].sum(), names["out"].size, rtol=1e-5)
