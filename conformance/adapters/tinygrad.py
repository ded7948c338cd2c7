"""tinygrad, by the reader of ONNX models in its package."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx

from .adapter import Adapter, Arrays, Prepared, made_by


class Tinygrad(Adapter):
    """tinygrad on the device that it chooses, or that ``DEV`` names; for the CPU it calls clang."""

    name = package = "tinygrad"
    modules = ("tinygrad", "tinygrad.nn.onnx")
    not_supported = ("is not a valid Domain",)

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Read the model; a runner keeps the first sizes of free axes, so that each run has its own."""
        from tinygrad import Tensor, dtypes
        from tinygrad.nn.onnx import OnnxRunner

        half = ml_dtypes.bfloat16
        first = OnnxRunner(Tensor(model))

        def run(arrays: Arrays) -> Arrays:
            tensors = [
                Tensor(x.view(np.uint16)).bitcast(dtypes.bfloat16) if x.dtype == half else x for x in arrays
            ]
            found = OnnxRunner(Tensor(model))(dict(zip(first.graph_inputs, tensors, strict=True))).values()
            kinds = [
                (y.bitcast(dtypes.uint16), half) if y.dtype == dtypes.bfloat16 else (y, None) for y in found
            ]
            return [y.numpy().view(kind) if kind else y.numpy() for y, kind in kinds]

        return run


from_options = made_by(Tinygrad)
