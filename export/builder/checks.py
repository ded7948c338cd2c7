"""What every exported model has to pass before anybody gets it."""

from __future__ import annotations

import os

import onnx

from softops.opset.errors import one_line, raise_interrupt
from softops.opset.graph.files import serialize
from softops.opset.runtimes.releases import minor_release, readable_by


def check_model(model: onnx.ModelProto, for_runtime: str | None = None) -> None:
    """
    Raise unless a model is valid: by ``onnx.checker`` with strict shape inference, and by onnxruntime.

    onnxruntime is asked to load the model, where it is installed, knows the opset and has the kernels;
    what it does not have does not make a model wrong, unless it is made for that very release, ``for_runtime``.

    Raises
    ------
    onnx.checker.ValidationError, onnx.shape_inference.InferenceError
        The graph breaks a rule of ONNX.
    RuntimeError
        onnxruntime takes it for invalid.
    ValueError
        The release that it is made for has no kernel for a node.
    """
    data = serialize(model)
    onnx.checker.check_model(data, full_check=True)
    _load_in_onnxruntime(data, _opset(model), for_runtime)


def check_file(model: onnx.ModelProto, path: str | os.PathLike[str], for_runtime: str | None = None) -> None:
    """
    Raise unless ``model``, as it lies at ``path`` with its external data beside it, passes `check_model`.

    Raises
    ------
    onnx.checker.ValidationError, onnx.shape_inference.InferenceError
        The graph breaks a rule of ONNX, or the external data is not there.
    RuntimeError
        onnxruntime takes it for invalid.
    ValueError
        The release that it is made for has no kernel for a node.
    """
    onnx.checker.check_model(os.fspath(path), full_check=True)
    _load_in_onnxruntime(os.fspath(path), _opset(model), for_runtime)


def _opset(model: onnx.ModelProto) -> int:
    return next(int(entry.version) for entry in model.opset_import if not entry.domain)


def _load_in_onnxruntime(data: bytes | str, opset: int, for_runtime: str | None) -> None:
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError as error:
        raise_interrupt(error)
        return
    if opset > readable_by(f"onnxruntime=={onnxruntime.__version__}").opset:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    # Weights are not touched: those in a file of their own may not fit in memory twice.
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except errors.NotImplemented as error:
        installed = minor_release(f"onnxruntime=={onnxruntime.__version__}")
        if for_runtime is None or minor_release(for_runtime) != installed:
            return
        message = (
            f"expected a model that {for_runtime} has all kernels for (got {one_line(error)}); pass a lower "
            "opset, or another dtype or activation"
        )
        raise ValueError(message) from error
    except (errors.InvalidGraph, errors.InvalidArgument, errors.Fail) as error:
        message = (
            f"expected a model that onnxruntime {onnxruntime.__version__} loads (got {error}); report it"
        )
        raise RuntimeError(message) from error
