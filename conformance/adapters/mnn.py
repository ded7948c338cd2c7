"""MNN, whose converter reads ONNX models. It has no int64: labels go in as int32, and indices come out so."""

from __future__ import annotations

import tempfile

import numpy as np
import onnx

from ..errors import ModelNotSupportedError
from .adapter import Adapter, Arrays, Prepared, made_by

_TYPES = {"float32": "float", "int32": "int", "uint8": "uint8", "int8": "int8"}


class Mnn(Adapter):
    """MNN on the CPU; its compiled converter is called, as the command around it installs a package to report by."""

    name, package = "mnn", "MNN"
    modules, dtypes = ("MNN.nn", "MNN.expr", "_tools"), (*_TYPES, "int64")
    not_supported = ("load_module_from_file failed", "does not support this dtype")

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Convert the model and load it."""
        import _tools
        from MNN import expr, nn

        inputs, outputs = ([value.name for value in part] for part in (proto.graph.input, proto.graph.output))
        with tempfile.NamedTemporaryFile(suffix=".onnx") as source, tempfile.NamedTemporaryFile() as target:
            source.write(model)
            source.flush()
            files = ["--modelFile", source.name, "--MNNModel", target.name]
            if not _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "softops"]):
                message = "mnnconvert does not take it"
                raise ModelNotSupportedError(message)
            net = nn.load_module_from_file(target.name, inputs, outputs)

        wide = [value.type.tensor_type.elem_type == onnx.TensorProto.INT64 for value in proto.graph.output]

        def run(arrays: Arrays) -> Arrays:
            narrow = [x.astype(np.int32) if x.dtype == np.int64 else x for x in arrays]
            kinds = [getattr(expr, _TYPES[x.dtype.name]) for x in narrow]
            given = [
                expr.const(x, list(x.shape), expr.NCHW, kind) for x, kind in zip(narrow, kinds, strict=True)
            ]
            found = [np.array(y.read()) for y in net.forward(given)]
            return [y.astype(np.int64) if is_wide else y for y, is_wide in zip(found, wide, strict=False)]

        return run


from_options = made_by(Mnn)
