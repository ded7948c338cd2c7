"""onnx's reference evaluator as a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import ModelNotSupportedError
from ..measure.precision import OWN
from .loading import in_memory
from .options import options_of
from .protocol import Feeds, LoadingRuntime, Run


class ReferenceRuntime(LoadingRuntime):
    """`onnx.reference.ReferenceEvaluator`, as it comes with onnx."""

    name = "onnx.reference"
    computes_in = OWN

    def __init__(self) -> None:
        self.version = str(onnx.__version__)

    def load(self, model: bytes) -> Run:
        """Make an evaluator and return what runs it."""
        return self._evaluator(onnx.load_from_string(model))

    def load_beside(self, model: bytes, folder: Path) -> Run:
        """Make an evaluator of a model whose tensors lie in files."""
        return self._evaluator(in_memory(model, folder))

    def _evaluator(self, model: onnx.ModelProto) -> Run:
        from onnx.reference import ReferenceEvaluator

        try:
            evaluator = ReferenceEvaluator(model)
        except NotImplementedError as error:
            raise ModelNotSupportedError(" ".join(str(error).split())) from error

        def run(feeds: Feeds) -> Sequence[NDArray[Any]]:
            with np.errstate(all="ignore"):  # infinities and NaNs are put to it on purpose
                return list(evaluator.run(None, dict(feeds)))

        return run


def from_options(options: str) -> ReferenceRuntime:
    """Make the runtime; it has no options."""
    options_of("onnx.reference", options, {})
    return ReferenceRuntime()
