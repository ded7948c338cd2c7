"""What may go into a model, and what is said about the rest."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import FeedError, ModelError
from softops.opset.backend import prepare

A = np.ones((2, 3), np.float32)
B = np.ones(3, np.float32)


@pytest.fixture(scope="module")
def rep():
    return prepare(
        onnx.parser.parse_model("""
            <ir_version: 8, opset_import: ["" : 17]>
            agraph (float[n,3] a, float[3] b) => (float[n,3] y) { y = Add (a, b) }
        """)
    )


def test_list_tuple_and_dict(rep):
    expected = [[2, 2, 2], [2, 2, 2]]
    for feeds in ([A, B], (A, B), {"b": B, "a": A}):
        assert rep.run(feeds)[0].tolist() == expected


def test_strided_readonly_and_array_likes(rep):
    class Like:
        def __array__(self, dtype=None, copy=None):
            return B

    a = np.ones((3, 4), np.float32).T[::2]
    a.flags.writeable = False
    assert rep.run([a, Like()])[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("feeds", "reason"),
    [
        ({"a": A}, r"named 'a', 'b' \(got 'a'\); add 'b'"),
        ({}, r"got none\)"),
        ({"a": A, "b": B, "c": B}, r"named 'a', 'b' \(got 'c'\)"),
        ([A], r"expected 2 inputs, 'a', 'b' \(got 1\)"),
        ([A, B, B], r"got 3"),
        (A, r"list or as a dict of arrays \(got ndarray\)"),
        (None, r"got NoneType"),
        (
            [A.astype(np.float64), B],
            r"input 'a' expected float32 \(got float64\); convert with x.astype\('float32'\)",
        ),
        ([A, [1, 2, 3]], r"input 'b' expected float32 \(got int64\)"),
        ([A, None], r"input 'b' expected an array \(got None\)"),
        ([B, B], r"input 'a' expected rank 2, shape \[n, 3\] \(got rank 1, shape \[3\]\)"),
        ([A[:, :2], B], r"input 'a' expected shape \[n, 3\] \(got \[2, 2\]\)"),
        ([A, np.array(["x", "y", "z"])], r"expected float32 \(got <U1\)"),
    ],
)
def test_bad_feeds(rep, feeds, reason):
    with pytest.raises(FeedError, match=reason):
        rep.run(feeds)


def test_input_with_an_initializer_may_be_left_out():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[2] x, float[2] w = {1, 2}) => (float[2] y) { y = Add (x, w) }
    """)
    rep, x = prepare(model), np.zeros(2, np.float32)
    assert rep.input_names == ["x"]
    assert rep.run([x])[0].tolist() == [1, 2]
    assert rep.run({"x": x, "w": x + 7})[0].tolist() == [7, 7]
    assert rep.run([x, x + 7])[0].tolist() == [7, 7]
    with pytest.raises(FeedError, match="add 'x'"):
        rep.run({"w": x})


def test_strings_sequences_and_optionals():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]>
        agraph (string[n] s, seq(float[k]) q) => (string[n] t, float[m] c) {
            t = Identity (s)
            c = ConcatFromSequence <axis = 0> (q)
        }
    """)
    rep = prepare(model)
    for strings in (["a", "bc"], np.array(["a", "bc"]), np.array(["a", "bc"], object)):
        t, c = rep.run([strings, [B, B]])
        assert t.tolist() == ["a", "bc"]
        assert c.shape == (6,)
    with pytest.raises(FeedError, match="input 's' expected strings"):
        rep.run([B, [B]])
    with pytest.raises(FeedError, match="input 'q' expected a list of arrays"):
        rep.run([["a"], B])
    with pytest.raises(FeedError, match=r"input 'q'\[1\] expected float32"):
        rep.run([["a"], [B, np.zeros(2)]])


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_every_float(dtype, model_of):
    model = model_of("Softmax", 13, 2, dtype=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    (y,) = prepare(model).run([np.zeros((1, 4), dtype)])
    assert y.dtype == dtype
    assert y.tolist() == [[0.25] * 4]
    with pytest.raises(FeedError, match=r"expected .*got float32"):
        prepare(model).run([np.zeros((1, 4), np.float32)])


def test_a_length_of_minus_one_is_any():
    """As some exporters write it, and onnxruntime reads it."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [-1, 3])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [-1, 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Softmax", ["x"], ["y"])], "g", [value], [result])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    rep = prepare(model)
    assert rep.inputs[0].shape == tuple(session.get_inputs()[0].shape) == (None, 3)
    for x in (A, A[:1]):
        assert rep.run([x])[0].shape == x.shape
    with pytest.raises(FeedError, match=r"expected shape \[\?, 3\] \(got \[2, 2\]\)"):
        rep.run([A[:, :2]])


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("shape", ["", "shape { dim { dim_value: 3 } }"])
def test_an_input_of_a_type_that_onnx_does_not_know_is_named_before_anything_is_run(held, shape):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[3] a, float[3] odd) => (float[3] y) { y = Relu (a) }'
    )
    odd = model.graph.input[1]
    odd.type.tensor_type.elem_type = 99
    if not shape:
        odd.type.tensor_type.ClearField("shape")
    if held:
        model.graph.initializer.append(onnx.numpy_helper.from_array(B, "odd"))
    with pytest.raises(ModelError, match=r"an element type that onnx .* knows for the input 'odd'"):
        prepare(model, check=False)
