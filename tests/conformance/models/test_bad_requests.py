"""What validate cannot do is refused by name: runtimes, models, inputs."""

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from softops.conformance import (
    ModelNotRunError,
    RuntimeNotInstalledError,
    UnknownRuntimeError,
    runtimes,
    validate,
)
from softops.export import classifier_head

HEAD = classifier_head(np.eye(3, 4, dtype=np.float32))
X = np.zeros((2, 4), np.float32)


def model_of(*inputs):
    values = [helper.make_tensor_value_info(name, element, shape) for name, element, shape in inputs]
    outputs = [helper.make_tensor_value_info("y", inputs[0][1], inputs[0][2])]
    nodes = [helper.make_node("Identity", [inputs[0][0]], ["y"])]
    graph = helper.make_graph(nodes, "g", values, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_loop_that_would_never_end_is_not_begun():
    """In the runtime it could not be stopped."""
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        agraph (float[N,4] x) => (float[N,4] y) {
            c = Constant <value = bool {1}> ()
            y = Loop ("", c, x) <body = b (int64 i, bool g, float[N,4] v) => (bool h, float[N,4] w) {
                h = Identity (g) w = Softmax (v)
            }>
        }""")
    with pytest.raises(ModelNotRunError, match=r"Loop.* to end \(got a round"):
        validate(model)


def test_runtimes_have_names():
    assert runtimes()[:4] == ("onnxruntime", "softops", "onnx.reference", "openvino")
    with pytest.raises(UnknownRuntimeError, match=r"onnxruntime, softops, .* \(got 'tensorrt'\)"):
        validate(HEAD, "tensorrt")
    for nonsense in (3, object(), str):
        with pytest.raises(TypeError, match=r"supports\(op, opset, dtype\) and run"):
            validate(HEAD, nonsense)


def test_a_runtime_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeNotInstalledError, match="pip install onnxruntime"):
        validate(HEAD)


def test_a_runtime_that_does_not_run_the_model():
    with pytest.raises(ModelNotRunError, match=r"onnxruntime to run the model.*Hardmax"):
        validate(classifier_head(np.eye(3), activation="hardmax"))

    class Broken:
        name, version = "broken", "1"

        def run(self, model, feeds):
            raise MemoryError

    with pytest.raises(ModelNotRunError, match=r"broken to run the model.*MemoryError"):
        validate(HEAD, Broken())


def test_what_is_no_model(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="ONNX model"):
        validate(tmp_path / "a.onnx")
    with pytest.raises(FileNotFoundError):
        validate(tmp_path / "missing.onnx")


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (X.astype(float), TypeError, "features in float32 .got float64."),
        (X[0], ValueError, r"shape \[batch, 4\] \(got \[4\]\)"),
        (X[:, :3], ValueError, r"got \[2, 3\]"),
        ({"x": X}, ValueError, r"named features \(got x\)"),
        ({}, ValueError, "got none"),
        ({"features": X, "more": X}, ValueError, "features, more"),
    ],
)
def test_inputs_that_do_not_fit(inputs, error, message):
    with pytest.raises(error, match=message):
        validate(HEAD, inputs=inputs)


def test_files_that_are_no_inputs(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(FileNotFoundError):
        validate(HEAD, inputs=path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"a \.npz file"):
        validate(HEAD, inputs=path)
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match="got another kind of file"):
        validate(HEAD, inputs=tmp_path / "x.npy")
    np.savez(path, features=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="one of Python objects"):
        validate(HEAD, inputs=path)


def test_inputs_that_cannot_be_made_up():
    with pytest.raises(ValueError, match="takes strings"):
        validate(model_of(("x", TensorProto.STRING, [3])))
    with pytest.raises(ValueError, match="known rank"):
        validate(model_of(("x", TensorProto.FLOAT, None)))
    with pytest.raises(ValueError, match="at most"):
        validate(model_of(("x", TensorProto.FLOAT, [10**6, 10**6])))
    two = model_of(("x", TensorProto.FLOAT, [3]), ("z", TensorProto.FLOAT, [3]))
    with pytest.raises(ValueError, match="a dict of x, z"):
        validate(two, inputs=X)


def test_made_up_inputs_are_of_every_type_and_of_equal_axes():
    model = model_of(
        ("x", TensorProto.FLOAT, ["N", "M"]),
        ("i", TensorProto.INT64, ["N", None]),
        ("b", TensorProto.BOOL, ["M", 2]),
    )
    report = validate(model, batch=6)
    assert report.passed, report.failures
    assert report.inputs == {"x": ("float32", (6, 16)), "i": ("int64", (6, 16)), "b": ("bool", (16, 2))}


def test_bounds_below_0():
    with pytest.raises(ValueError, match="max_ulp of 0 or more"):
        validate(HEAD, max_ulp=-1)
    with pytest.raises(ValueError, match="max_ulp of 0 or more"):
        validate(HEAD, max_ulp=float("nan"))


def _invalid():
    """Models that onnx rejects, each in another way."""
    value = helper.make_tensor_value_info
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("z", 1)]

    def of(node, functions=(), opsets=opsets[:1], elem_type=TensorProto.FLOAT):
        graph = helper.make_graph(
            [node], "g", [value("x", elem_type, ["N", 3])], [value("y", TensorProto.FLOAT, ["N", 3])]
        )
        return helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=8)

    call = helper.make_node("F", ["x"], ["y"], domain="z")
    inner = helper.make_node("F", ["a"], ["b"], domain="z")
    plain = helper.make_node("Relu", ["a"], ["b"])
    softmax = helper.make_node("Softmax", ["x"], ["y"])
    itself = helper.make_function("z", "F", ["a"], ["b"], [inner], opsets)
    once = helper.make_function("z", "F", ["a"], ["b"], [plain], opsets)
    unknown, none = of(softmax), of(softmax)
    unknown.graph.input[0].type.tensor_type.elem_type = 99
    none.graph.input[0].type.tensor_type.elem_type = 0
    return {
        "a domain that is not imported": of(call),
        "a function that calls itself": of(call, [itself], opsets),
        "a function twice": of(call, [once, once], opsets),
        "an element type of 99": unknown,
        "an element type of 0": none,
    }


@pytest.mark.parametrize("name", _invalid())
def test_models_that_onnx_rejects_are_refused_in_a_line(name):
    model = _invalid()[name]
    for call in (lambda: validate(model), lambda: validate(model, inputs=np.zeros((2, 3), np.float32))):
        # ModelError and ModelNotRunError are ValueErrors.
        with pytest.raises(ValueError, match=r"^\S[^\n]*$"):
            call()
