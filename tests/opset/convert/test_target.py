"""What a conversion reaches: an opset, an IR version, or what a release of a runtime reads."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import UnsupportedModelError, convert_version, lint
from softops.opset.runtimes.releases import readable_by

X = np.random.default_rng(3).normal(size=(2, 3)).astype(np.float32)


def parsed(opset, ir, extra="", body="s = Softmax <axis = 1> (x) y = Mul (s, w)", more=""):
    text = f"g (float[N,3] x) => (float[N,3] y) <float[3] w = {{1, 2, 3}}> {{ {body} }} {more}"
    return onnx.parser.parse_model(f'<ir_version: {ir}, opset_import: ["": {opset}{extra}]> {text}')


def versions(model):
    return model.opset_import[0].version, model.ir_version


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["x"]
    return session.run(None, {"x": X})[0]


@pytest.mark.parametrize(
    ("opset", "ir", "release", "expected"),
    [
        (21, 10, "1.17", (20, 9)),
        (21, 10, "1.18.1", (21, 10)),
        (13, 8, "1.20", (13, 8)),  # it is read as it is
        (13, 8, "1.6", (13, 7)),
        (17, 11, "1.4", (12, 7)),
        (13, 8, "0.3", (9, 3)),
    ],
)
def test_what_a_release_reads(opset, ir, release, expected):
    model = parsed(opset, ir)
    converted = convert_version(model, for_runtime=f"onnxruntime=={release}")
    assert versions(converted) == expected
    assert versions(model) == (opset, ir)
    onnx.checker.check_model(converted)
    assert not [
        w for w in lint(converted, for_runtime=f"onnxruntime=={release}").warnings if w.code == "too-new"
    ]
    np.testing.assert_array_equal(run(converted), run(model))


def test_a_model_that_the_release_reads_is_returned_as_it_is():
    model = parsed(13, 7)
    assert convert_version(model, for_runtime="onnxruntime==1.6") is model
    assert convert_version(model, ir_version=7) is model
    assert convert_version(model, 13, ir_version=7, for_runtime="onnxruntime==1.17") is model


def test_the_installed_release():
    newest = onnx.defs.onnx_opset_version()
    model = parsed(newest, onnx.IR_VERSION)
    converted = convert_version(model, for_runtime="onnxruntime")
    limits = readable_by(f"onnxruntime=={onnxruntime.__version__}")
    assert versions(converted) == (min(newest, limits.opset), min(onnx.IR_VERSION, limits.ir_version))
    np.testing.assert_allclose(run(converted) / [1, 2, 3] @ np.ones(3), 1, rtol=1e-6)


def test_an_opset_below_what_the_release_reads():
    assert versions(convert_version(parsed(21, 10), 11, for_runtime="onnxruntime==1.17")) == (11, 6)
    with pytest.raises(
        ValueError, match=r"opset up to 20, the newest that onnxruntime==1\.17 reads \(got 21\)"
    ):
        convert_version(parsed(13, 8), 21, for_runtime="onnxruntime==1.17")
    with pytest.raises(ValueError, match=r"IR version up to 9, .*\(got 10\)"):
        convert_version(parsed(13, 8), ir_version=10, for_runtime="onnxruntime==1.17")


@pytest.mark.parametrize("wanted", [3, 4, 7, 8, onnx.IR_VERSION])
def test_an_ir_version_alone(wanted):
    """At 3 an initializer is the default of an input, and listed as one; no caller is asked for it."""
    model = parsed(13, 8)
    converted = convert_version(model, ir_version=wanted)
    assert versions(converted) == (13, wanted)
    assert model.ir_version == 8
    assert [value.name for value in converted.graph.input] == (["x", "w"] if wanted == 3 else ["x"])
    assert converted.graph.node == model.graph.node
    if wanted <= readable_by(f"onnxruntime=={onnxruntime.__version__}").ir_version:
        session = onnxruntime.InferenceSession(converted.SerializeToString())
        np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], run(model))


def test_both():
    assert versions(convert_version(parsed(21, 10), 13, ir_version=4)) == (13, 4)


FUNCTION = '<domain: "own", opset_import: ["": 13]> f (v) => (w) { w = Relu (v) }'


def test_what_the_ir_version_does_not_have():
    model = parsed(13, 9, extra=', "own": 1', body="s = own.f (x) y = Mul (s, w)", more=FUNCTION)
    assert convert_version(model, ir_version=8).ir_version == 8
    for wanted in ({"ir_version": 7}, {"for_runtime": "onnxruntime==1.6"}):
        with pytest.raises(UnsupportedModelError, match=r"IR version of 8 or newer.*got 7.*onnx\.inliner"):
            convert_version(model, **wanted)
    assert model.ir_version == 9


def test_ai_onnx_ml_is_not_converted():
    model = parsed(17, 8, extra=', "ai.onnx.ml": 5')
    with pytest.raises(UnsupportedModelError, match=r"ai\.onnx\.ml up to 4, .*imports 5"):
        convert_version(model, for_runtime="onnxruntime==1.17")
    assert convert_version(model, for_runtime="onnxruntime==1.18") is model


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        ({}, TypeError, "expected a target"),
        ({"ir_version": "8"}, TypeError, "IR version as an integer"),
        ({"ir_version": 2}, ValueError, "from 3 to"),
        ({"ir_version": 99}, ValueError, "from 3 to"),
        ({"for_runtime": "onnxruntime==0.9"}, LookupError, "a release of onnxruntime that is known"),
        ({"for_runtime": "tensorrt==10"}, LookupError, "got 'tensorrt'"),
        ({"for_runtime": "not-a-package-of-anybody"}, ValueError, "such as onnxruntime==1.17"),
    ],
)
def test_no_target(wanted, error, said):
    with pytest.raises(error, match=said):
        convert_version(parsed(13, 8), **wanted)
