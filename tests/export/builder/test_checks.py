"""What every exported model has to pass."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from softops.export import classifier_head
from softops.export.builder.checks import check_model

WEIGHT = np.eye(3, dtype=np.float32)


@pytest.fixture
def refusing(monkeypatch):
    """An onnxruntime that takes no model."""

    def refuse(*_, **__):
        message = "a cycle"
        raise errors.InvalidGraph(message)

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)


def test_a_model_that_onnx_rejects_is_none():
    model = classifier_head(WEIGHT)
    model.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 4
    with pytest.raises(onnx.shape_inference.InferenceError):
        check_model(model)
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(onnx.checker.ValidationError):
        check_model(model)


def test_a_model_that_onnxruntime_takes_for_invalid_is_not_written(refusing, tmp_path):
    with pytest.raises(RuntimeError, match=r"loads .*a cycle.*; report it"):
        classifier_head(WEIGHT, path=tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())


def test_an_onnxruntime_that_does_not_know_the_opset_is_not_asked(refusing, monkeypatch):
    monkeypatch.setattr(onnxruntime, "__version__", "1.17.3")
    assert classifier_head(WEIGHT, opset=21).opset_import[0].version == 21
    with pytest.raises(RuntimeError):
        classifier_head(WEIGHT, opset=20)


def test_without_onnxruntime_onnx_alone_judges(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert classifier_head(WEIGHT).graph.output[0].name == "label"


def test_a_kernel_that_the_release_lacks_which_it_is_made_for_does(tmp_path):
    release = f"onnxruntime=={onnxruntime.__version__}"
    options = {"activation": "hardmax", "path": tmp_path / "head.onnx"}
    with pytest.raises(ValueError, match=f"expected a model that {release} has all kernels for .*Hardmax"):
        classifier_head(WEIGHT.astype(np.float64), for_runtime=release, **options)
    assert not list(tmp_path.iterdir())
    assert classifier_head(WEIGHT.astype(np.float64), for_runtime="onnxruntime==1.17", **options)


def test_a_kernel_that_onnxruntime_lacks_makes_no_model_wrong():
    model = classifier_head(WEIGHT.astype(np.float64), activation="hardmax")
    with pytest.raises(errors.NotImplemented):
        onnxruntime.InferenceSession(model.SerializeToString())
