"""Prepared models and rows of the table as pickles: what comes back gives the same results."""

import copy
import pickle
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softops.export import classifier_head
from softops.opset import operator, operators
from softops.opset.backend import prepare

X = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
FUNCTIONS = """
<ir_version: 10, opset_import: ["" : 21, "own" : 1]>
net (float[N, 6] x) => (float[N, 6] y) <float[6] w = {1, 2, 3, 4, 5, 6}> { y = own.scaled <by = 3.0> (x, w) }
<opset_import: ["" : 21], domain: "own">
scaled <by: float = 2.0> (x, w) => (y) { b = Constant <value_float: float = @by> () z = Mul (x, w) y = Mul (z, b) }
"""
LOOP = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 6] x) => (float[N, 6] y) <int64 count = {3}, float[6] w = {0.5, 1, 1.5, 2, 2.5, 3}> {
    yes = Constant <value = bool {1}> ()
    y = Loop (count, yes, x) <body = body (int64 i, bool go, float[N, 6] before) => (bool on, float[N, 6] after) {
        on = Identity (go) scaled = Mul (before, w) after = Softmax <axis = -1> (scaled) }>
}
"""
DEFAULT = """
<ir_version: 10, opset_import: ["" : 13]>
net (float[N, 6] x, float[6] w) => (float[N, 6] y) <float[6] w = {1, 2, 3, 4, 5, 6}> { y = Mul (x, w) }
"""
FUSED = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 6] x) => (float[N, 6] y) <float[1] t = {2.5}> { z = Div (x, t) p = Softmax <axis = -1> (z) y = Log (p) }
"""


def of_dtype(dtype):
    """A model that adds an initializer of a dtype, cast to float32."""
    values = np.array([0, 1, 1, 0, 1, 1]).astype(dtype)
    held = numpy_helper.from_array(values, "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["v"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "v"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 6]) for name in "xy"]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [held])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def sparse():
    model = onnx.parser.parse_model(
        DEFAULT.replace(", float[6] w", "", 1).replace("float[6] w = {1, 2, 3, 4, 5, 6}", "float z = {0}")
    )
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            helper.make_tensor("w", TensorProto.FLOAT, [2], [5, 7]),
            helper.make_tensor("i", TensorProto.INT64, [2], [1, 4]),
            [6],
        )
    )
    return model


DTYPES = [
    np.float16,
    np.float64,
    np.int8,
    np.uint64,
    np.bool_,
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.int4,
]
MODELS = {
    "head": lambda: classifier_head(
        np.eye(3, 6, dtype=np.float32) + np.float32(0.25), labels=["a\0", "é", "c"]
    ),
    "functions": lambda: onnx.parser.parse_model(FUNCTIONS),
    "loop": lambda: onnx.parser.parse_model(LOOP),
    "default": lambda: onnx.parser.parse_model(DEFAULT),
    "fused": lambda: onnx.parser.parse_model(FUSED),
    "sparse": sparse,
    **{np.dtype(dtype).name: lambda dtype=dtype: of_dtype(dtype) for dtype in DTYPES},
}


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_prepared_model_comes_back(name, fuse):
    model = MODELS[name]()
    there = prepare(model, fuse=fuse, check=name != "sparse")
    expected = there.run({there.input_names[0]: X})
    model.graph.Clear()  # what was given may be changed, or gone
    for back in (*(pickle.loads(pickle.dumps(there, protocol)) for protocol in (2, 5)), copy.deepcopy(there)):
        assert (back.inputs, back.outputs) == (there.inputs, there.outputs)
        found = back.run({back.input_names[0]: X})
        assert [array.dtype for array in found] == [array.dtype for array in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_default_may_still_be_given():
    back = pickle.loads(pickle.dumps(prepare(onnx.parser.parse_model(DEFAULT))))
    np.testing.assert_array_equal(back.run({"x": X, "w": np.zeros(6, np.float32)})[0], X * 0)


def test_fusions_are_as_they_were():
    steps = []
    for fuse in (True, False):
        there = prepare(onnx.parser.parse_model(FUSED), fuse=fuse)
        for one in (there, pickle.loads(pickle.dumps(there))):
            done = []
            one.run([X], watch=lambda *told, done=done: done.append(told))
            steps.append(len(done))
    assert steps[0] == steps[1] < steps[2] == steps[3]


def test_external_data_goes_with_it(tmp_path):
    model = classifier_head(np.eye(3, 6, dtype=np.float32) + np.float32(0.25))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="m.data")
    there = prepare(tmp_path / "m.onnx")
    content = pickle.dumps(there)
    for path in tmp_path.iterdir():
        path.unlink()
    for one, other in zip(pickle.loads(content).run([X]), there.run([X]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_process_takes_it(tmp_path):
    there = prepare(classifier_head(np.eye(3, 6, dtype=np.float32) + np.float32(0.25)))
    (tmp_path / "both").write_bytes(pickle.dumps((there, operator("Softmax", 13))))
    np.save(tmp_path / "x.npy", X)
    program = (
        "import pickle, sys, numpy as np\n"
        "model, softmax = pickle.load(open('both', 'rb'))\n"
        "from softops.opset import operator\n"
        "assert softmax is operator('Softmax', 13)\n"
        "np.savez('y.npz', *model.run([np.load('x.npy')]), softmax.compute(np.load('x.npy')))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    with np.load(tmp_path / "y.npz") as made:
        for one, other in zip(
            made.values(), [*there.run([X]), operator("Softmax", 13).compute(X)], strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_every_row_comes_back_as_itself():
    for row in operators():
        assert pickle.loads(pickle.dumps(row)) is row
        assert copy.deepcopy([row]) == [row]
