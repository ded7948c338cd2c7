"""If, Loop and Scan: what they take from around them, no rounds at all, scans along any axis and backwards."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from softops.opset import ModelError
from softops.opset.backend import prepare

X = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)


def both(text, feeds):
    model = onnx.parser.parse_model(text)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for ours, theirs in zip(prepare(model).run(feeds), session.run(None, feeds), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=5e-7)  # both float32, other formulas


LOOP = """
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (int64 n, bool go, float[4,3] x) => (float[4,3] y, float[k,4,3] all, int64[k] rounds)
    <float[3] shift = {1, 2, 3}> {
        half = Constant <value = float {0.5}> ()
        y, all, rounds = Loop (n, go, x) <body = step (int64 i, bool c, float[4,3] v)
            => (bool d, float[4,3] w, float[4,3] seen, int64 number) {
            scaled = Mul (v, half)
            w = Add (scaled, shift)
            seen = Softmax (w)
            three = Constant <value = int64 {3}> ()
            number = Identity (i)
            d = Less (i, three)
        }>
    }
"""


@pytest.mark.parametrize(("rounds", "go"), [(0, True), (1, True), (3, True), (9, True), (9, False)])
def test_loop(rounds, go):
    # the condition ends it after the round with number 3
    both(LOOP, {"n": np.array(rounds), "go": np.array(go), "x": X})


def scan(attributes):
    return f"""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[3] start, float[4,3] x, float[3,4] z) => (float[3] last, float[m,n] all)
        <float[3] shift = {{1, 2, 3}}> {{
            last, all = Scan <num_scan_inputs = 2, {attributes}body = step (float[3] s, float[3] a, float[3] b)
                => (float[3] t, float[3] o) {{
                u = Add (s, a)
                v = Mul (u, shift)
                t = Softmax (v)
                o = Sub (t, b)
            }}> (start, x, z)
        }}
    """


@pytest.mark.parametrize(
    "attributes",
    [
        "scan_input_axes = [0, 1], ",
        "scan_input_axes = [0, -1], scan_input_directions = [1, 0], ",
        "scan_input_axes = [0, 1], scan_output_axes = [1], scan_output_directions = [1], ",
    ],
)
def test_scan(attributes):
    both(scan(attributes), {"start": X[0], "x": X, "z": X.T.copy() * 2})


def test_scan_of_opset_8_has_a_batch():
    # ai.onnx@8::Scan: an optional sequence_lens, then everything with the batch in front
    model = onnx.parser.parse_model("""
        <ir_version: 4, opset_import: ["" : 8]>
        agraph (int64[2] lengths, float[2,3] start, float[2,4,3] x) => (float[2,3] last, float[2,4,3] all) {
            last, all = Scan <num_scan_inputs = 1, body = step (float[3] s, float[3] a)
                => (float[3] t, float[3] o) {
                t = Add (s, a)
                o = Identity (t)
            }> (lengths, start, x)
        }
    """)
    x = np.stack([X, 2 * X])
    last, seen = prepare(model).run([np.int64([4, 2]), np.zeros((2, 3), np.float32), x])
    sums = x.cumsum(1)
    np.testing.assert_allclose(last, [sums[0, 3], sums[1, 1]], rtol=1e-6)
    np.testing.assert_allclose(seen[0], sums[0], rtol=1e-6)
    np.testing.assert_allclose(seen[1, :2], sums[1, :2], rtol=1e-6)
    assert not seen[1, 2:].any()


NESTED = """
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    agraph (bool c, bool d, float[4,3] x) => (float[4,3] y) {
        t = Tanh (x)
        y = If (c) <
            then_branch = a () => (float[4,3] p) {
                p = If (d) <
                    then_branch = b () => (float[4,3] q) { q = local.f (t) },
                    else_branch = e () => (float[4,3] r) { u = Softmax (t) r = Add (u, x) }
                >
            },
            else_branch = g () => (float[4,3] s) { s = Identity (x) }
        >
    }
    <domain: "local", opset_import: ["" : 17]>
    f (v) => (w) {
        yes = Constant <value = bool {1}> ()
        w = If (yes) <then_branch = h () => (z) { z = LogSoftmax (v) }, else_branch = i () => (z) { z = Neg (v) }>
    }
"""


@pytest.mark.parametrize("c", [True, False])
@pytest.mark.parametrize("d", [True, False])
def test_names_from_two_graphs_out(c, d):
    feeds = {"c": np.array(c), "d": np.array(d), "x": X}
    both(NESTED, feeds)
    model = onnx.parser.parse_model(NESTED)
    kept = X.copy()
    for output in prepare(model).run(feeds):
        output[:] = 0  # belongs to the caller, also where a branch hands an input through
    np.testing.assert_array_equal(X, kept)


@pytest.mark.parametrize(
    "handed_on",
    [
        "y = If (c) <then_branch = a () => (float[4,3] p) { p = Identity (t) },"
        " else_branch = b () => (float[4,3] q) { q = Relu (t) }>",
        "y = Loop (none, c, t) <body = l (int64 i, bool g, float[4,3] v) => (bool h, float[4,3] w)"
        " { h = Identity (g) w = Relu (v) }>",
        "y, rest = Split <axis = 0> (t, whole)",
        "y, mask = Dropout (t)",
        "s = SequenceConstruct (t, t) zero = Constant <value = int64 {0}> () y = SequenceAt (s, zero)",
        "u = Identity (t) y = Identity (u)",
    ],
)
def test_what_is_handed_on_is_not_written_over(handed_on):
    """The last reader of a value may work in place, unless the value goes on under another name."""
    model = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[4,3] x, bool c) => (float[4,3] y, float[4,3] z)
        <int64 none = {{0}}, int64[2] whole = {{4, 0}}, float[3] k = {{1, 2, 3}}> {{
            t = Tanh (x)
            {handed_on}
            z = Add (t, k)
        }}
    """
    for condition in (True, False):
        both(model, {"x": X, "c": np.array(condition)})


ENDLESS = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[4,3] x, bool c) => (float[4,3] y) {
    y = Loop ("", c, x) <body = b (int64 i, bool g, float[4,3] v) => (bool h, float[4,3] w) { %s }>
}
"""


def test_a_loop_that_would_never_end_is_refused():
    """No limit, a condition that holds for ever, and rounds that come to a value that stays."""
    model = onnx.parser.parse_model(ENDLESS % "h = Identity (g) w = Relu (v)")
    with pytest.raises(ModelError, match=r"expected .*Loop.* to end \(got a round, number 2"):
        prepare(model).run({"x": X, "c": np.array(True)})
    np.testing.assert_array_equal(prepare(model).run({"x": X, "c": np.array(False)})[0], X)


@pytest.mark.parametrize(
    "body",
    [
        # a round that changes nothing may be followed by another that ends the loop: the condition asks for the round
        "ten = Constant <value_int = 10> () h = Less (i, ten) w = Relu (v)",
        "one = Constant <value_float = 1.0> () five = Constant <value_float = 5.0> () w = Add (v, one)"
        " m = ReduceMin <keepdims = 0> (w) h = Less (m, five)",
    ],
)
def test_a_loop_that_ends_by_its_condition(body):
    model = onnx.parser.parse_model(ENDLESS % body)
    feeds = {"x": np.zeros((4, 3), np.float32), "c": np.array(True)}
    np.testing.assert_array_equal(prepare(model).run(feeds)[0], ReferenceEvaluator(model).run(None, feeds)[0])
