"""Models that other tools make: of scikit-learn by skl2onnx, of torch by its two exporters."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path


def make(folder: Path) -> None:
    """Write the models into a folder, as far as the packages that make them are installed."""
    folder.mkdir(parents=True, exist_ok=True)
    if find_spec("skl2onnx") and find_spec("sklearn"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from .of_sklearn import made

            for name, content in made():
                (folder / f"skl2onnx_{name}.onnx").write_bytes(content)
    if find_spec("torch"):
        from .of_torch import EXPORTERS, MODULES, export

        for name in MODULES:
            for exporter in EXPORTERS:
                export(name, exporter, folder)
