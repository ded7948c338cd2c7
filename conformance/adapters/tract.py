"""tract, by its Python package."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from .adapter import Adapter, Prepared, made_by


class Tract(Adapter):
    """tract's ONNX reader, on the CPU. A panic in Rust ends the process: give the suite a ``time_limit``."""

    name = package = "tract"
    modules = ("tract",)
    dtypes = (
        "float16",
        "float32",
        "float64",
        *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)),
    )
    not_supported = (
        "Unimplemented(",
        "upported",
        "not support ",
        "as a constant",
        "a number",
        "Undetermined",
    )

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Load the model, which it takes from a file, and optimise it."""
        import tract

        with tempfile.TemporaryDirectory(prefix="softops-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(model)
            runnable = tract.onnx().load(path).into_model().into_runnable()
        return lambda arrays: [output.to_numpy() for output in runnable.run(arrays)]

    def line(self, error: BaseException) -> str:
        """Return what it was doing and the cause that it names last, without the frames."""
        lines = [" ".join(line.split()) for line in str(error).partition("Stack backtrace")[0].splitlines()]
        return ": ".join(dict.fromkeys(filter(None, (lines[0], *lines[-2:-1]))))


from_options = made_by(Tract)
