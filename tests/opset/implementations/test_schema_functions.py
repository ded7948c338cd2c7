"""Operators run by the body in their schema, where nobody has another form of them."""

import numpy as np
import onnx
import pytest

from softops.opset.backend import prepare
from softops.opset.implementations import choice

RANDOM = np.random.default_rng(3)


@pytest.fixture
def only_bodies(monkeypatch):
    """Of the operators named here nothing is known but their schema."""
    hidden = set()
    for name in ("_own", "reference_implementation"):
        kept = getattr(choice, name)
        monkeypatch.setattr(
            choice, name, lambda node, kept=kept: None if node.proto.op_type in hidden else kept(node)
        )
    return hidden.update


def session(opset, body, signature):
    return prepare(
        onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g {signature} {{ {body} }}')
    )


def test_a_body_that_hangs_on_the_dtype_and_the_shape(only_bodies):
    only_bodies({"LayerNormalization"})
    rep = session(
        17,
        "y = LayerNormalization <axis = 1> (x, s)",
        "(float[n,d] x, float[d] s) => (float[n,d] y)",
    )
    # more of them than plans are kept, and one twice
    for n, d in [(n, d) for n in range(1, 6) for d in range(2, 6)] + [(1, 2)]:
        x, s = RANDOM.standard_normal((n, d)).astype(np.float32), np.full(d, 0.5, np.float32)
        exact = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) / 2
        np.testing.assert_allclose(
            rep.run([x, s])[0], exact, rtol=1e-4, atol=1e-5
        )  # mean of squares less the square, float32


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_a_body_that_hangs_on_an_input_that_is_left_out(only_bodies, dtype):
    only_bodies({"Clip"})
    x = RANDOM.standard_normal(9).astype({"float": np.float32, "double": np.float64}[dtype])
    for body, expected in (
        ("y = Clip (x, b)", np.maximum(x, 0.25)),
        ("y = Clip (x, , b)", np.minimum(x, 0.25)),
        ("y = Clip (x)", x),
    ):
        rep = session(13, body, f"({dtype}[n] x) => ({dtype}[n] y) <{dtype} b = {{0.25}}>")
        for _ in range(2):
            np.testing.assert_array_equal(rep.run([x])[0], expected)
