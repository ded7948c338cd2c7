"""What a step may write over: memory of its own that nobody else reads, and nothing else."""

import numpy as np
import onnx
import pytest

from softops.opset.backend import prepare

X = np.random.default_rng(0).standard_normal((3, 4), np.float32)


def run(body, outputs="float[N,4] y", x=X):
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> net (float[N,4] x) => ({outputs}) <float[4] c = {{1, 2, 3, 4}}, '
        f"float[1,1,1] one = {{1}}> {{ {body} }}"
    )
    given = x.copy()
    prepared = prepare(model, fuse=False)
    first, second = prepared.run([given]), prepared.run([given])
    np.testing.assert_array_equal(given, x)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    return first


C = np.array([1, 2, 3, 4], np.float32)


@pytest.mark.parametrize(
    ("body", "outputs", "expected"),
    [
        ("a = Add(x, c) b = Mul(a, c) d = Sub(c, b) y = Neg(d)", "float[N,4] y", [-(C - (X + C) * C)]),
        ("a = Add(x, c) y = Mul(a, a)", "float[N,4] y", [(X + C) * (X + C)]),
        ("a = Add(x, c) b = Neg(a) y = Mul(a, b)", "float[N,4] y", [(X + C) * -(X + C)]),
        ("a = Add(x, c) y = Neg(a)", "float[N,4] y, float[N,4] a", [-(X + C), X + C]),
        ("a = Transpose(x) b = Transpose(a) y = Mul(b, c)", "float[N,4] y", [X * C]),
        ("a = Add(x, c) b = Transpose(a) d = Neg(a) t = Transpose(b) y = Add(t, d)", "float[N,4] y", [X * 0]),
        ("a = Identity(x) y = Mul(a, c)", "float[N,4] y", [X * C]),
        ("y = Mul(c, c)", "float[4] y", [C * C]),
        ("a = Neg(x) y = Add(a, one)", "float[1,N,4] y", [(1 - X)[None]]),
        ("a = Neg(c) y = Add(a, x)", "float[N,4] y", [X - C]),
        ("a = Neg(x) b = Less(a, c) y = Cast<to = 1>(b)", "float[N,4] y", [(-X < C).astype(np.float32)]),
    ],
)
def test_results_are_as_if_nothing_was_written_over(body, outputs, expected):
    for made, wanted in zip(run(body, outputs), expected, strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_what_a_subgraph_reads_is_left_alone():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,4] x, int64 n) => (float[N,4] y) <bool go = {1}> {
            a = Neg(x)
            y = Loop(n, go, a) <body = b (int64 i, bool c, float[N,4] s) => (bool d, float[N,4] t)
                { d = Identity(c) e = Neg(a) f = Mul(e, s) t = Add(f, a) }>
        }
    """)
    (y,) = prepare(model).run([X, np.array(3)])
    expected = a = -X
    for _ in range(3):
        expected = -a * expected + a
    np.testing.assert_array_equal(y, expected)
