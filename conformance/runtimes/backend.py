"""Any `onnx.backend.base.Backend` as a runtime, by its import path."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.errors import raise_interrupt

from ..errors import ModelNotSupportedError, RuntimeNotInstalledError
from .loading import model_inputs
from .protocol import Feeds, LoadingRuntime, Run


class BackendRuntime(LoadingRuntime):
    """A module or class with ``prepare(model, device)``, whose result has ``run(inputs)``."""

    def __init__(self, path: str) -> None:
        module, _, attribute = path.partition(":")
        try:
            found = importlib.import_module(module)
            self._backend = getattr(found, attribute) if attribute else found
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise_interrupt(error)
            message = (
                f"expected the import path of an ONNX backend (got {path!r}: {error}); "
                "write backend:package.module or backend:package.module:Class"
            )
            raise RuntimeNotInstalledError(message) from error
        if not callable(getattr(self._backend, "prepare", None)):
            message = f"expected an ONNX backend, with prepare(model, device) (got {path!r}); name its class"
            raise ValueError(message)
        self.name = f"backend:{path}"
        top = importlib.import_module(module.partition(".")[0])
        self.version = str(getattr(top, "__version__", ""))

    def load(self, model: bytes) -> Run:
        """Prepare the model and return what runs it."""
        from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

        proto = onnx.load_from_string(model)
        names = [value.name for value in model_inputs(proto)]
        try:
            prepared = self._backend.prepare(proto, "CPU")
        except BackendIsNotSupposedToImplementIt as error:
            raise ModelNotSupportedError(" ".join(str(error).split())) from error

        def run(feeds: Feeds) -> Sequence[NDArray[Any]]:
            try:
                outputs = prepared.run([feeds[name] for name in names])
            except BackendIsNotSupposedToImplementIt as error:
                raise ModelNotSupportedError(" ".join(str(error).split())) from error
            return [np.asarray(output) for output in outputs]

        return run


def from_options(options: str) -> BackendRuntime:
    """Make the runtime from its import path."""
    if not options:
        message = "expected an import path (got none); write backend:package.module"
        raise ValueError(message)
    return BackendRuntime(options)
