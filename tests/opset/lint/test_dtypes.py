"""Warnings about dtypes, versions and what the outputs are named."""

import re

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import convert_version, lint
from softops.opset.runtimes.releases import readable_by

N = helper.make_node
ML = "ai.onnx.ml"
HALF, BFLOAT16, FLOAT, DOUBLE = (
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
)


def model(*nodes, opset=17, dtype=FLOAT, outputs=("y",), ir_version=8, extra=(), inputs=None):
    given = inputs or [helper.make_tensor_value_info("x", dtype, ["n", 4])]
    graph = helper.make_graph(nodes, "g", given, [onnx.ValueInfoProto(name=name) for name in outputs])
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(*entry) for entry in extra)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def codes(proto, **options):
    return [warning.code for warning in lint(proto, **options).warnings]


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "ReduceLogSumExp"])
def test_half_precision_sums(op_type):
    (warning,) = lint(model(N(op_type, ["x"], ["y"]), dtype=HALF)).warnings
    assert warning.code == "half-accumulation"
    assert "Cast to float32" in warning.cure


@pytest.mark.parametrize(("number", "dtype"), [(HALF, np.float16), (BFLOAT16, ml_dtypes.bfloat16)])
def test_a_sum_of_ones_stops_where_the_warning_says(number, dtype):
    total = dtype(0)
    for _ in range(5000):
        total = dtype(total + dtype(1))
    messages = [w.message for w in lint(model(N("Softmax", ["x"], ["y"]), dtype=number)).warnings]
    assert any(f"a sum of ones stops at {int(total)};" in message for message in messages)


HALF_FINE = {
    "float32": (model(N("Softmax", ["x"], ["y"]))),
    "cast before and after": model(
        N("Cast", ["x"], ["a"], to=FLOAT),
        N("Softmax", ["a"], ["b"]),
        N("Cast", ["b"], ["y"], to=HALF),
        dtype=HALF,
    ),
    "elementwise": model(N("Sigmoid", ["x"], ["y"]), dtype=HALF),
    "a decision": model(N("ArgMax", ["x"], ["y"], axis=1), dtype=HALF),
    "a sum that ONNX takes in double": model(N("ReduceLogSumExp", ["x"], ["y"]), opset=18, dtype=HALF),
}


@pytest.mark.parametrize("proto", HALF_FINE.values(), ids=HALF_FINE.keys())
def test_no_half_precision_sums(proto):
    assert codes(proto) == []


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 1), ("sum", 1), ("none", 0)])
def test_a_loss_sums_where_it_reduces(reduction, expected):
    inputs = [
        helper.make_tensor_value_info("x", HALF, ["n", 4]),
        helper.make_tensor_value_info("l", TensorProto.INT64, ["n"]),
    ]
    loss = N("NegativeLogLikelihoodLoss", ["x", "l"], ["y"], reduction=reduction)
    assert codes(model(loss, inputs=inputs)).count("half-accumulation") == expected


def test_attention_says_its_precision():
    qkv = [helper.make_tensor_value_info(name, HALF, [1, 2, 3, 8]) for name in "qkv"]
    plain = model(N("Attention", [*"qkv"], ["y"]), opset=23, inputs=qkv)
    (warning,) = lint(plain).warnings
    assert (warning.code, "softmax_precision=1" in warning.cure) == ("half-accumulation", True)
    assert codes(model(N("Attention", [*"qkv"], ["y"], softmax_precision=1), opset=23, inputs=qkv)) == []
    assert codes(model(N("Attention", [*"qkv"], ["y"], softmax_precision=10), opset=23, inputs=qkv)) != []


def loads(proto):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(proto.SerializeToString(), options)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return False
    return True


@pytest.mark.parametrize(
    "dtype", [HALF, BFLOAT16, FLOAT, DOUBLE], ids=["float16", "bfloat16", "float32", "float64"]
)
@pytest.mark.parametrize(
    "op_type", ["Softmax", "Hardmax", "Sigmoid", "Softplus", "ReduceLogSumExp", "Multinomial"]
)
def test_no_kernel_is_said_of_what_onnxruntime_refuses(op_type, dtype):
    proto = model(N(op_type, ["x"], ["y"]), opset=22, ir_version=10, dtype=dtype)
    found = [warning for warning in lint(proto).warnings if warning.code == "no-kernel"]
    assert len(found) == (0 if loads(proto) else 1)
    for warning in found:
        assert warning.severity == "error"
        assert onnxruntime.__version__ in warning.message


def test_both_answers_are_among_these_and_the_cure_helps():
    trap = model(N("Hardmax", ["x"], ["y"]), dtype=DOUBLE)
    casts = [
        N("Cast", ["x"], ["a"], to=FLOAT),
        N("Hardmax", ["a"], ["b"]),
        N("Cast", ["b"], ["y"], to=DOUBLE),
    ]
    (warning,) = lint(trap).warnings
    assert warning.cure == "put a Cast to float32 before it and a Cast back after it"
    assert (loads(trap), loads(model(*casts, dtype=DOUBLE))) == (False, True)
    assert loads(model(N("Softmax", ["x"], ["y"]), dtype=DOUBLE))


def test_a_dtype_that_onnx_does_not_allow_yet():
    (warning,) = [
        w
        for w in lint(model(N("Softmax", ["x"], ["y"]), opset=12, dtype=BFLOAT16)).warnings
        if w.code == "no-kernel"
    ]
    assert "does not allow" in warning.message


RELEASE = "onnxruntime==1.17"  # reads up to opset 20, IR version 9, ai.onnx.ml 4


@pytest.mark.parametrize(
    ("opset", "ir_version", "extra", "said"),
    [
        (21, 9, (), ["ai.onnx 21 (it reads up to 20)"]),
        (20, 10, (), ["IR version 10 (it reads up to 9)"]),
        (20, 9, [(ML, 5)], ["ai.onnx.ml 5 (it reads up to 4)"]),
        (22, 10, [(ML, 5)], ["ai.onnx 22", "IR version 10", "ai.onnx.ml 5"]),
    ],
)
def test_too_new(opset, ir_version, extra, said):
    proto = model(N("Relu", ["x"], ["y"]), opset=opset, ir_version=ir_version, extra=extra)
    (warning,) = lint(proto, for_runtime=RELEASE).warnings
    assert (warning.code, warning.severity, warning.node) == ("too-new", "error", None)
    assert all(part in warning.message for part in said)
    assert codes(proto) == []


@pytest.mark.parametrize(("opset", "ir_version"), [(21, 9), (20, 10), (21, 10), (17, 11)])
def test_what_the_cure_of_too_new_says_is_enough(opset, ir_version):
    proto = model(N("Relu", ["x"], ["y"]), opset=opset, ir_version=ir_version)
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, ["n", 4]))
    (warning,) = lint(proto, for_runtime=RELEASE).warnings
    if found := re.search(r"softops convert --opset (\d+)", warning.cure):
        proto = convert_version(proto, int(found[1]))
    if found := re.search(r"set model\.ir_version = (\d+)", warning.cure):
        proto.ir_version = int(found[1])
    assert codes(proto, for_runtime=RELEASE) == []


def test_not_too_new():
    proto = model(N("Relu", ["x"], ["y"]), opset=20, ir_version=9, extra=[(ML, 4)])
    assert codes(proto, for_runtime=RELEASE) == []


def test_too_new_is_what_the_installed_onnxruntime_refuses():
    release = f"onnxruntime=={onnxruntime.__version__}"
    newest = readable_by(release)
    for ir_version, refused in ((newest.ir_version, False), (newest.ir_version + 1, True)):
        proto = model(N("Relu", ["x"], ["y"]), ir_version=ir_version)
        assert codes(proto, for_runtime=release) == ["too-new"] * refused
        if refused:
            with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
                loads(proto)


@pytest.mark.parametrize(
    ("release", "error"),
    [
        ("not-a-package-of-anybody", ValueError),
        ("onnxruntime==new", ValueError),
        ("tensorrt==10", LookupError),
        ("", ValueError),
    ],
)
def test_no_release(release, error):
    with pytest.raises(error, match="expected"):
        lint(model(N("Relu", ["x"], ["y"])), for_runtime=release)


def test_a_model_with_external_data_is_read_without_it(tmp_path):
    weight = onnx.numpy_helper.from_array(np.ones((4, 300), np.float32), "w")
    proto = model(N("MatMul", ["x", "w"], ["l"]), N("Softmax", ["l"], ["y"]))
    proto.graph.initializer.append(weight)
    path = tmp_path / "model.onnx"
    onnx.save_model(proto, path, save_as_external_data=True, size_threshold=0, location="weights")
    (tmp_path / "weights").unlink()
    (record,) = lint(path).nodes
    assert record.shape == ("n", 300)
