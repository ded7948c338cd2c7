"""ncnn, for which pnnx converts ONNX models."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import onnx

from ..errors import ModelNotSupportedError
from .adapter import Adapter, Arrays, Prepared, made_by

_PLAIN = {"batch_index": 233}  # as pnnx writes it for an array whose axes are all its own


class Ncnn(Adapter):
    """ncnn on the CPU, in float32."""

    name = package = "ncnn"
    modules, dtypes = ("ncnn", "pnnx"), ("float32",)
    not_supported = ("dims <=4 support",)

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Convert the model and load it."""
        import ncnn
        import pnnx

        net = ncnn.Net()
        with tempfile.TemporaryDirectory(prefix="softops-") as folder:
            (Path(folder) / "model.onnx").write_bytes(model)
            done = subprocess.run(
                [pnnx.EXEC_PATH, "model.onnx"], cwd=folder, capture_output=True, check=False
            )
            if done.returncode:
                message = f"pnnx ended with code {done.returncode}"
                raise RuntimeError(message)
            if net.load_param(f"{folder}/model.ncnn.param") or net.load_model(f"{folder}/model.ncnn.bin"):
                message = "ncnn has no layer for what pnnx made of it"
                raise ModelNotSupportedError(message)

        def run(arrays: Arrays) -> Arrays:
            extractor = net.create_extractor()
            for name, x in zip(net.input_names(), arrays, strict=True):
                extractor.input(name, ncnn.Mat(x, **_PLAIN).clone())
            return [extractor.extract(name)[1].numpy(**_PLAIN) for name in net.output_names()]

        return run


from_options = made_by(Ncnn)
