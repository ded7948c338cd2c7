"""Those that the coverage page compares, each as a function of a model and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from softops.opset.backend import prepare


class Runner(NamedTuple):
    """A runtime: its name, its version, and what runs a model once."""

    name: str
    version: str
    run: Callable[[onnx.ModelProto, Sequence[Any]], list[Any]]


def _softops(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any]:
    return prepare(model).run(list(inputs))


def _onnxruntime(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses it says by the exception as well
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(x, onnx.TensorProto.BFLOAT16)
        if isinstance(x, np.ndarray) and x.dtype.name == "bfloat16"
        else x
        for name, x in zip(names, inputs, strict=True)
    }
    return list(session.run(None, values))


def _reference(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any]:
    names = [value.name for value in model.graph.input]
    return list(ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True))))


def runners() -> tuple[Runner, ...]:
    """Return softops, onnxruntime and onnx.reference."""
    return (
        Runner("softops", version("softops"), _softops),
        Runner("onnxruntime", onnxruntime.__version__, _onnxruntime),
        Runner("onnx.reference", onnx.__version__, _reference),
    )
