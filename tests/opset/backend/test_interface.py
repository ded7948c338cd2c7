"""The backend interface, what the outputs are, and what is said about models that cannot be run."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.backend.base import Backend

from softops.opset import ModelError, UnknownOpsetError, backend, load_model, operator
from softops.opset.backend import SoftopsBackend, prepare, run_model, run_node, supports_device

X = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
FLAT = operator("Softmax", 11).compute(X)
LAST = operator("Softmax", 13).compute(X)


def parse(text):
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    return model


def onnxruntime_outputs(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=5e-7)  # both float32, other formulas


def test_other_operators_run_beside_ours():
    model = parse("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[n,4] x) => (float[n,3] p, int64[n] k)
        <float[3,4] w = {1,2,3,4, 4,3,2,1, 1,0,1,0}, float[3] b = {0.5,0,-0.5}> {
            s = Gemm <transB = 1> (x, w, b)
            p = Softmax (s)
            k = ArgMax <axis = 1, keepdims = 0> (p)
        }
    """)
    rep = prepare(model)
    assert (rep.input_names, rep.output_names) == (["x"], ["p", "k"])
    for actual, expected in zip(rep.run([X[0]]), onnxruntime_outputs(model, {"x": X[0]}), strict=True):
        assert_close(actual, expected)


def test_outputs_belong_to_the_caller():
    model = parse("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[2] x) => (float[2] a, float[2] b, float[2] c) <float[2] w = {1, 2}> {
            a = Identity (x)
            b = Identity (w)
            c = Constant <value = float[2] {3, 4}> ()
        }
    """)
    rep, x = prepare(model), np.float32([5, 6])
    for output in rep.run([x]):
        output[:] = 0
    assert x.tolist() == [5, 6]
    assert [output.tolist() for output in rep.run([x])] == [[5, 6], [1, 2], [3, 4]]


def test_outputs_share_nothing_with_each_other():
    model = parse("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[n,2] x) => (float[n,2] p, float[2,n] q, float[n,2] r) {
            p = Softmax (x)
            q = Transpose (p)
            r = Identity (p)
        }
    """)
    rep, x = prepare(model), np.zeros((3, 2), np.float32)
    outputs = rep.run([x])
    for number, output in enumerate(outputs):
        output[:] = number
    assert [sorted(set(output.flat)) for output in outputs] == [[0], [1], [2]]
    assert all(output.flags.c_contiguous for output in outputs)


def test_infinities_and_nans_pass_without_warnings():
    x = np.float32([[0, -np.inf], [np.nan, 0], [np.inf, 0]])
    (y,) = run_node(onnx.helper.make_node("Softmax", ["x"], ["y"]), [x])
    np.testing.assert_array_equal(y, [[1, 0], [np.nan, np.nan], [np.nan, np.nan]])
    assert run_node(onnx.helper.make_node("Log", ["x"], ["y"]), [np.zeros(1, np.float32)])[0] == -np.inf


def test_path_bytes_and_external_data(model_of, tmp_path):
    model = parse("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[3] x) => (float[3] y) <float[3] w = {1, 2, 3}> { y = Add (x, w) }
    """)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.float32([1, 2, 3]), "w"))
    path = tmp_path / "m.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    x = np.zeros(3, np.float32)
    assert prepare(path).run([x])[0].tolist() == [1, 2, 3]
    assert prepare(str(path)).run([x])[0].tolist() == [1, 2, 3]
    with pytest.raises(ModelError, match=r"in files, such as 'w'.*pass the model's path"):
        prepare(load_model(path, external_data=False))
    small = model_of("Softmax", 13, 3).SerializeToString()
    np.testing.assert_array_equal(prepare(small).run([X])[0], LAST)


def test_interface(model_of):
    model = model_of("Softmax", 13, 3)
    assert issubclass(SoftopsBackend, Backend)
    assert supports_device("CPU")
    assert not supports_device("CUDA")
    assert not backend.is_compatible(model, "CUDA")
    assert backend.is_compatible(model)
    with pytest.raises(ValueError, match="expected the device 'CPU'"):
        prepare(model, "CUDA")


def test_run_model_and_run_node(model_of):
    np.testing.assert_array_equal(run_model(model_of("Softmax", 11, 3), [X])[0], FLAT)
    node = onnx.helper.make_node("Softmax", ["x"], ["y"])
    np.testing.assert_array_equal(run_node(node, [X])[0], LAST)
    np.testing.assert_array_equal(run_node(node, {"x": X}, opset_version=12)[0], FLAT)
    long = onnx.helper.make_node("Softmax", ["x"], ["y"], domain="ai.onnx")
    np.testing.assert_array_equal(run_node(long, [X], opset_version=12)[0], FLAT)
    clip = onnx.helper.make_node("Clip", ["x", "", "high"], ["y"])
    assert run_node(clip, [np.float32([1, 5]), np.float32(2)])[0].tolist() == [1, 2]
    binarizer = onnx.helper.make_node("Binarizer", ["x"], ["y"], domain="ai.onnx.ml", threshold=0.5)
    assert run_node(binarizer, [np.float32([0, 1])])[0].tolist() == [0, 1]
    equal = onnx.helper.make_node("Equal", ["x", "z"], ["y"])
    assert run_node(equal, [np.array(["a", "b"]), np.array(["a", "c"])])[0].tolist() == [True, False]
    with pytest.raises(ModelError, match="expected a valid node"):
        run_node(onnx.helper.make_node("Softmax", ["x"], ["y"], color=3), [X])


def test_nothing_of_onnx_is_changed(model_of):
    prepare(model_of("Softmax", 11, 3)).run([X])
    (y,) = onnx.reference.ReferenceEvaluator(model_of("Softmax", 13, 3)).run(None, {"x": X})
    assert_close(y, LAST)
    assert (
        onnx.reference.ReferenceEvaluator(model_of("Softmax", 13, 3))
        .rt_nodes_[0]
        .__module__.startswith("onnx.")
    )


@pytest.mark.parametrize("version", [0, onnx.defs.onnx_opset_version() + 1])
def test_unknown_opset(version, model_of):
    with pytest.raises(UnknownOpsetError, match=rf"got {version}"):
        prepare(model_of("Softmax", version, 2))
