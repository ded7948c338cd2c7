"""Networks of torch by its two exporters: that by tracing ("script") and that by torch.export ("dynamo")."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch

from . import detection, layers, transformers

EXPORTERS = ("script", "dynamo")

_OPEN_ROWS = {"bert", "gpt", "vision_transformer", "detection", "suppression"}
"""Those that take any number of rows."""


class Made(NamedTuple):
    """A module, ready to be run, and what it takes."""

    module: torch.nn.Module
    inputs: tuple[Any, ...]


MODULES: dict[str, Callable[[], Made]] = {
    "cnn": lambda: Made(layers.convolutions(), (torch.randn(2, 3, 16, 16),)),
    "flatten_after_softmax": lambda: Made(layers.flattened(), (torch.randn(2, 3, 8, 8),)),
    "encoder": lambda: Made(layers.encoder(), (torch.randn(2, 10, 32),)),
    "multihead_attention": lambda: Made(layers.Attended(), (torch.randn(2, 10, 32),)),
    "lstm": lambda: Made(layers.Last(), (torch.randn(2, 10, 8),)),
    "quantised": lambda: Made(layers.Quantised(), (torch.randn(2, 16),)),
    "bert": lambda: Made(transformers.Bert(), transformers.tokens(3)),
    "gpt": lambda: Made(transformers.Gpt(), transformers.tokens(3)[:1]),
    "vision_transformer": lambda: Made(transformers.VisionTransformer(), (torch.randn(3, 3, 32, 32),)),
    "detection": lambda: Made(detection.Detector(), (torch.randn(3, 3, 64, 64),)),
    "suppression": lambda: Made(detection.Detector(every=True), (torch.randn(3, 3, 64, 64),)),
}


def module_of(name: str) -> Made:
    """Make a module and what it takes, the same ones each time."""
    torch.manual_seed(0)
    made = MODULES[name]()
    made.module.eval()
    return made


def export(name: str, exporter: str, folder: Path) -> Path | None:
    """Export a module into a folder and return the file; None for what the exporter does not take."""
    if exporter == "dynamo" and not find_spec("onnxscript"):
        return None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    module, inputs = module_of(name)
    names = [f"input_{number}" for number in range(len(inputs))]
    options: dict[str, Any] = {"dynamo": exporter == "dynamo", "input_names": names}
    if name in _OPEN_ROWS:
        rows = [{0: "rows"} for _ in inputs]
        if exporter == "dynamo":
            options["dynamic_shapes"] = tuple(rows)
        else:
            options["dynamic_axes"] = dict(zip(names, rows, strict=True))
    path = folder / f"torch_{name}_{exporter}.onnx"
    with (  # both exporters talk, and what one does not take is no model
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(Exception),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, inputs, path, **options)
        if name == "suppression":
            detection.suppress(path)
        return path
    return None
