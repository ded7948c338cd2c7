"""onnxruntime, with any provider, graph-optimisation level and number of threads."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.errors import raise_interrupt

from ..errors import ModelNotSupportedError, RuntimeNotInstalledError, check_choice
from ..measure.precision import OWN
from .options import options_of, threads_of
from .protocol import Feeds, LoadingRuntime, Run

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}

_CPU = "CPUExecutionProvider"
"""The provider that computes every type in itself; what others compute in, onnxruntime does not tell."""

_DEFAULTS = {"provider": "CPU", "level": "all", "threads": ""}

_NOT_SUPPORTED = (
    "NOT_IMPLEMENTED",
    "No Op registered",
    "is not a registered function/op",
    "Unrecognized model",
    "only *guarantees* support for models stamped with",
    "is under development and support for this is limited",
    "is till opset",
    "Unsupported model IR version",
)


class OnnxRuntime(LoadingRuntime):
    """onnxruntime on a provider, by default the CPU with all graph optimisations."""

    name = "onnxruntime"

    def __init__(self, provider: str = "CPU", level: str = "all", threads: str = "") -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise_interrupt(error)
            message = "expected onnxruntime to be installed (it is not); pip install onnxruntime"
            raise RuntimeNotInstalledError(message) from error
        check_choice("a level", level, LEVELS)
        threads_of(threads)
        full = provider if provider.endswith("ExecutionProvider") else f"{provider}ExecutionProvider"
        if full not in onnxruntime.get_available_providers():
            there = ", ".join(onnxruntime.get_available_providers())
            message = f"expected a provider of this onnxruntime, {there} (got {full}); choose one of these"
            raise RuntimeNotInstalledError(message)
        self._onnxruntime = onnxruntime
        self._options = {"provider": provider, "level": level, "threads": threads}
        self._provider = full
        self.full_precision = "" if full == _CPU else "provider=CPU"
        self.version = str(onnxruntime.__version__)
        self.settings = (*(f"level={name}" for name in LEVELS), "threads=1", "threads=2", "threads=3")

    def configured(self, setting: str) -> OnnxRuntime:
        """Return the same runtime at another level, with another number of threads or on another provider."""
        key, _, value = setting.partition("=")
        return OnnxRuntime(**{**self._options, key: value})

    def load(self, model: bytes) -> Run:
        """Make a session and return what runs it."""
        return self._session(model, {})

    def load_beside(self, model: bytes, folder: Path) -> Run:
        """Make a session of a model whose tensors lie in files, which onnxruntime reads itself."""
        return self._session(
            model, {"session.model_external_initializers_file_folder_path": os.path.abspath(folder)}
        )

    def _session(self, model: bytes, entries: Mapping[str, str]) -> Run:
        ort = self._onnxruntime
        options = ort.SessionOptions()
        # What it cannot do, it also raises; the log would say it twice.
        options.log_severity_level = 4
        # Threads that wait busily for the next run take the processor from all the other sessions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for key, value in entries.items():
            options.add_session_config_entry(key, value)
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[self._options["level"]])
        if self._options["threads"]:
            options.intra_op_num_threads = int(self._options["threads"])
        try:
            session = ort.InferenceSession(model, options, providers=[self._provider])
        except Exception as error:
            _check_supported(error)
            raise
        providers = session.get_providers()
        self.runs_on = ", ".join(providers)
        self.computes_in = OWN if providers == [_CPU] else ""
        return partial(_run, ort, session)


def from_options(options: str) -> OnnxRuntime:
    """Make the runtime from ``provider=...,level=...,threads=...``."""
    return OnnxRuntime(**options_of("onnxruntime", options, _DEFAULTS))


def _check_supported(error: Exception) -> None:
    """Raise ModelNotSupportedError where that is what an error means."""
    # Its exceptions share no class with one another; what they mean stands in the text.
    if any(words in str(error) for words in _NOT_SUPPORTED):
        raise ModelNotSupportedError(" ".join(str(error).split())) from error


def _run(ort: Any, session: Any, feeds: Feeds) -> Sequence[NDArray[Any]]:
    try:
        return _run_session(ort, session, feeds)
    except Exception as error:
        _check_supported(error)
        raise


def _run_session(ort: Any, session: Any, feeds: Feeds) -> Sequence[NDArray[Any]]:
    types = [output.type for output in session.get_outputs()]
    if all(x.dtype != ml_dtypes.bfloat16 for x in feeds.values()) and "tensor(bfloat16)" not in types:
        outputs: Sequence[NDArray[Any]] = session.run(None, dict(feeds))
        return outputs
    values = {
        name: ort.OrtValue.ortvalue_from_numpy_with_onnx_type(
            np.ascontiguousarray(x).view(np.uint16), onnx.TensorProto.BFLOAT16
        )
        if x.dtype == ml_dtypes.bfloat16
        else ort.OrtValue.ortvalue_from_numpy(x)
        for name, x in feeds.items()
    }
    return [_array(value) for value in session.run_with_ort_values(None, values)]


def _array(value: Any) -> NDArray[Any]:
    if value.data_type() != "tensor(bfloat16)":
        array: NDArray[Any] = value.numpy()
        return array
    # NumPy has no bfloat16, and so onnxruntime no way to hand one out but its address.
    shape = tuple(value.shape())
    count = int(np.prod(shape, dtype=int))
    bits = ctypes.string_at(value.data_ptr(), 2 * count)
    return np.asarray(np.frombuffer(bytearray(bits), np.uint16).view(ml_dtypes.bfloat16).reshape(shape))
