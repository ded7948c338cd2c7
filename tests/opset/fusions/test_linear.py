"""Linear layers, and what goes along their classes."""

import numpy as np
import pytest
from fusing import both, found, kinds, parsed

from softops.opset.backend import prepare

RANDOM = np.random.default_rng(0)
ROWS, FEATURES, CLASSES = 12, 20, 33
X = RANDOM.standard_normal((ROWS, FEATURES), np.float32)
W = RANDOM.standard_normal((FEATURES, CLASSES), np.float32)
B = RANDOM.standard_normal(CLASSES, np.float32)
SCORES = X.astype(np.float64) @ W + B
CONSTANTS = {
    "w": W,
    "turned": np.ascontiguousarray(W.T),
    "b": B,
    "row": B[None],
    "t": np.float32(0.7),
    "k": np.array([4]),
}
GEMM, MATMUL = "s = Gemm(x, w, b) ", "p = MatMul(x, w) s = Add(p, b) "
LAYERS = {
    "Gemm": GEMM,
    "turned Gemm": "s = Gemm<transB = 1>(x, turned, b) ",
    "MatMul and Add": MATMUL,
    "the bias first": "p = MatMul(x, w) s = Add(b, p) ",
    "a turned weight": "v = Transpose<perm = [1, 0]>(turned) p = MatMul(x, v) s = Add(p, b) ",
    "a bias of one row": "p = MatMul(x, w) s = Add(p, row) ",
    "identities": "v = Identity(w) c = Identity(b) p = MatMul(x, v) s = Add(p, c) ",
}


def model(body, outputs="float[N,C] y", *, opset=17, shape="N,F", constants=CONSTANTS):
    return parsed(body, f"float[{shape}] x", outputs, opset=opset, constants=constants)


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_softmax_of_a_linear_layer(layer):
    head = model(layer + "y = Softmax<axis = -1>(s)")
    assert kinds(head) == ["linear Softmax"]
    for times in (1, 40):  # by BLAS, and by the block product
        (fused,), (plain,) = both(head, np.tile(X, (times, 1)))
        np.testing.assert_allclose(fused, np.tile(softmax(SCORES), (times, 1)), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("opset", [7, 11, 12, 13, 21])
@pytest.mark.parametrize("scale", ["r = Div(s, t)", "r = Mul(t, s)"])
def test_log_softmax_of_scaled_scores(scale, opset):
    head = model(f"{MATMUL} {scale} y = LogSoftmax<axis = 1>(r)", opset=opset)
    assert kinds(head) == ["linear LogSoftmax"]
    (fused,), _ = both(head, X)
    scaled = SCORES / 0.7 if "Div" in scale else SCORES * 0.7
    np.testing.assert_allclose(fused, np.log(softmax(scaled)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("opset", "k"), [(7, "<k = 4>(s)"), (10, "(s, k)"), (13, "(s, k)"), (21, "(s, k)")])
def test_the_best_classes(opset, k):
    head = model(f"{MATMUL} y, i = TopK{k}", "float[N,K] y, int64[N,K] i", opset=opset)
    assert kinds(head) == ["linear TopK"]
    (values, indices), plain = both(head, X)
    order = np.argsort(-SCORES, -1)[:, :4]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(values, np.take_along_axis(SCORES, order, 1), rtol=1e-5)
    np.testing.assert_array_equal(indices, plain[1])


@pytest.mark.parametrize(
    "attributes", ["axis = 1", "axis = 1, keepdims = 0", "axis = -1, select_last_index = 1"]
)
def test_the_best_class(attributes):
    head = model(f"{GEMM} y = ArgMax<{attributes}>(s)", "int64[N,1] y")
    head.graph.output[0].type.tensor_type.ClearField("shape")
    assert kinds(head) == ["linear ArgMax"]
    (fused,), _ = both(head, X)
    np.testing.assert_array_equal(fused.ravel(), SCORES.argmax(-1))


def test_a_linear_layer_in_a_network():
    layer = model(MATMUL.replace("x", "x") + "y = Neg(s)", "float[N,S,C] y", shape="N,S,F")
    assert kinds(layer) == ["linear"]
    x = X.reshape(3, 4, FEATURES)
    (fused,), _ = both(layer, x)
    np.testing.assert_allclose(fused, -SCORES.reshape(3, 4, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_rows(rows):
    head = model(GEMM + "y = Softmax<axis = 1>(s)")
    (fused,), (plain,) = both(head, X[:rows])
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-7)


def test_float64():
    constants = {
        name: value.astype(np.float64) if value.dtype == np.float32 else value
        for name, value in CONSTANTS.items()
    }
    head = parsed(MATMUL + "y = Softmax<axis = 1>(s)", "double[N,F] x", "double[N,C] y", constants=constants)
    (fused,), _ = both(head, X.astype(np.float64))
    np.testing.assert_allclose(fused, softmax(SCORES), rtol=1e-12)


@pytest.mark.parametrize(
    ("body", "outputs", "missed"),
    [
        (
            GEMM + "y = Softmax<axis = 1>(s)",
            ", float[N,C] s",
            [("linear Softmax", "'s' inside is also an output")],
        ),
        (
            GEMM + "y = Softmax<axis = 1>(s) z = Neg(s)",
            ", float[N,C] z",
            [("linear Softmax", "'s' inside is also read by Neg")],
        ),
        (GEMM + "y = Softmax<axis = 0>(s)", "", [("linear Softmax", "axis 0 is not the last of 2")]),
        ("s = Gemm<alpha = 0.5>(x, w, b) y = Softmax<axis = 1>(s)", "", []),
        ("s = MatMul(x, w) y = Softmax<axis = 1>(s)", "", []),
        ("p = MatMul(x, w) r = Mul(p, t) s = Add(r, b) y = Softmax<axis = 1>(s)", "", []),
        ("v = Exp(w) s = Gemm(x, v, b) y = Softmax<axis = 1>(s)", "", []),
    ],
)
def test_what_follows_a_layer_stays_as_it_is(body, outputs, missed):
    head = model(body, "float[N,C] y" + outputs)
    from onnx import TensorProto, helper

    head.graph.value_info.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, ["N", "C"]))
    if outputs.endswith("s"):
        del head.graph.value_info[:]
    assert set(kinds(head)) <= {"linear"}
    assert found(head)[1] == missed
    for fused, plain in zip(*both(head, X), strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def test_weights_that_a_caller_may_give_are_no_constants():
    body = GEMM + "y = Softmax<axis = 1>(s)"
    given = parsed(body, f"float[N,F] x, float[{FEATURES},{CLASSES}] w", "float[N,C] y", constants=CONSTANTS)
    assert kinds(given) == []
    (y,) = prepare(given).run({"x": X, "w": 2 * W})
    np.testing.assert_allclose(y, softmax(SCORES * 2 - B), rtol=1e-4)


def test_a_weight_that_is_read_elsewhere_is_the_same_there():
    """It lies column by column for the product, with the same numbers."""
    head = model(
        MATMUL + "y = Softmax<axis = 1>(s) z = Add(w, w)", f"float[N,C] y, float[{FEATURES},{CLASSES}] z"
    )
    (_, twice), _ = both(head, X)
    np.testing.assert_array_equal(twice, 2 * W)
    assert twice.flags.c_contiguous


def test_shapes_that_do_not_fit_are_refused_in_the_nodes_own_words():
    head = model(MATMUL + "y = Softmax<axis = 1>(s)")
    said = []
    for fuse in (True, False):
        with pytest.raises(ValueError, match="MatMul") as error:
            prepare(head, fuse=fuse).run([np.ones((9, 7), np.float32)])
        said.append(str(error.value))
    assert said[0] == said[1]
