"""OpenVINO as a runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from softops.opset.errors import raise_interrupt

from ..errors import ModelNotSupportedError, RuntimeNotInstalledError
from .options import options_of, threads_of
from .protocol import Feeds, LoadingRuntime, Run

_DEFAULTS = {"device": "CPU", "precision": "", "threads": ""}

_NOT_SUPPORTED = ("wasn't fully converted", "Not supported", "not supported")


class OpenVino(LoadingRuntime):
    """OpenVINO on a device, by default the CPU in the precision that OpenVINO chooses for it."""

    name = "openvino"

    def __init__(self, device: str = "CPU", precision: str = "", threads: str = "") -> None:
        try:
            import openvino
        except ImportError as error:
            raise_interrupt(error)
            message = 'expected openvino to be installed (it is not); pip install "softops[openvino]"'
            raise RuntimeNotInstalledError(message) from error
        threads_of(threads)
        self._openvino = openvino
        self._core = openvino.Core()
        if device not in self._core.available_devices:
            there = ", ".join(self._core.available_devices)
            message = (
                f"expected a device that OpenVINO has here, {there} (got {device!r}); choose one of these"
            )
            raise RuntimeNotInstalledError(message)
        self._options = {"device": device, "precision": precision, "threads": threads}
        self.version = str(openvino.__version__).split("-", maxsplit=1)[0]
        self.settings = ("threads=1", "threads=2", "threads=3")
        self.full_precision = "" if precision else "precision=f32"

    def configured(self, setting: str) -> OpenVino:
        """Return the same runtime with another number of threads, or in another precision."""
        key, _, value = setting.partition("=")
        return OpenVino(**{**self._options, key: value})

    def load(self, model: bytes) -> Run:
        """Compile the model and return what runs it."""
        config: dict[str, Any] = {}
        if self._options["device"] == "CPU":
            # Pinned threads of processes side by side would all lie on the same processors.
            config["ENABLE_CPU_PINNING"] = False
        if self._options["precision"]:
            config["INFERENCE_PRECISION_HINT"] = self._options["precision"]
        if self._options["threads"]:
            config["INFERENCE_NUM_THREADS"] = int(self._options["threads"])
        # Should the model not be compiled: what the device would choose.
        self.computes_in = self._options["precision"] or _precision_of(
            lambda name: self._core.get_property(self._options["device"], name)
        )
        self.runs_on = self._options["device"]
        try:
            compiled = self._core.compile_model(
                self._core.read_model(model=model), self._options["device"], config
            )
        except RuntimeError as error:
            if any(words in str(error) for words in _NOT_SUPPORTED):
                raise ModelNotSupportedError(" ".join(str(error).split())) from error
            raise
        self.computes_in = _precision_of(compiled.get_property)
        self.runs_on = _devices_of(compiled)
        request = compiled.create_infer_request()

        def run(feeds: Feeds) -> Sequence[NDArray[Any]]:
            request.infer({name: self._tensor(x) for name, x in feeds.items()})
            return [self._array(request.get_output_tensor(i)) for i in range(len(compiled.outputs))]

        return run

    def _tensor(self, x: NDArray[Any]) -> Any:
        # A copy, which the plugin may write to; C order is all that it knows.
        x = np.array(x, order="C")
        if x.dtype == ml_dtypes.bfloat16:
            return self._openvino.Tensor(x.view(np.uint16), x.shape, self._openvino.Type.bf16)
        return self._openvino.Tensor(x)

    def _array(self, tensor: Any) -> NDArray[Any]:
        kind = tensor.element_type.get_type_name()
        if kind == "string":
            return np.asarray(tensor.str_data, object)
        if kind == "bf16":
            bits = np.array(tensor.data).view(np.uint16)
            return np.asarray(bits.view(ml_dtypes.bfloat16).reshape(tuple(tensor.shape)))
        return np.array(tensor.data)


def _precision_of(get_property: Callable[[str], Any]) -> str:
    """Return what a model is computed in, compiled or about to be, such as ``bf16``; empty where it is not told."""
    try:
        return str(get_property("INFERENCE_PRECISION_HINT").get_type_name())
    except (RuntimeError, AttributeError):
        return ""


def _devices_of(compiled: Any) -> str:
    """Return what a compiled model runs on, such as ``CPU``; empty where that is not told."""
    try:
        return ", ".join(map(str, compiled.get_property("EXECUTION_DEVICES")))
    except (RuntimeError, TypeError):
        return ""


def from_options(options: str) -> OpenVino:
    """Make the runtime from ``device=...,precision=...,threads=...``."""
    return OpenVino(**options_of("openvino", options, _DEFAULTS))
