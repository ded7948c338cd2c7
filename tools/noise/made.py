"""Models that are made for the measurements: networks of torch by its two exporters, digits by scikit-learn."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .entry import Arrays, Entry
from .inputs import Maker, image, made, normal, numbers, rows_of

_OPSETS = {"script": 17, "dynamo": 20}
"""One below Gelu, so that it is spelled out with Erf, and one with it."""


def made_entries(words: Sequence[str] = ("",)) -> Iterator[Entry]:
    """Yield the models that can be made with what is installed, and whose names have one of the words in them."""
    if find_spec("skl2onnx") and find_spec("sklearn") and any(word in "sklearn_digits" for word in words):
        yield _digits()
    if find_spec("torch"):
        yield from _of_torch(words)


def _digits() -> Entry:
    from skl2onnx import to_onnx
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_digits(return_X_y=True)
    x = x.astype(np.float32)
    half = len(x) // 2
    network = MLPClassifier((64,), max_iter=300, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = make_pipeline(StandardScaler(), network).fit(x[:half], y[:half])
        options = {id(pipeline): {"zipmap": False}}
        model = to_onnx(pipeline, x[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    inputs = partial(rows_of, x[half:], model.graph.input[0].name, 32)
    return Entry("sklearn_digits", model, trained=True, inputs=inputs)


def _of_torch(words: Sequence[str]) -> Iterator[Entry]:
    import torch
    from torch import nn

    from . import networks

    tokens = partial(numbers, 0)
    kinds: dict[str, tuple[Any, Maker]] = {
        "bert": (networks.Bert, tokens(500, 2, 32)),
        "gpt": (networks.Gpt, tokens(1000, 2, 24)),
        "vision_transformer": (networks.VisionTransformer, image(2, 3, 32, 32)),
        "residual": (networks.Residual, image(2, 3, 32, 32)),
        "detection": (networks.Detection, image(2, 3, 64, 64, low=0)),
        "decoder": (networks.Decoder, image(2, 3, 32, 32)),
        "lstm": (partial(networks.Recurrent, nn.LSTM), normal(4, 20, 16)),
        "gru": (partial(networks.Recurrent, nn.GRU), normal(4, 20, 16)),
    }
    exporters = [name for name in _OPSETS if name == "script" or find_spec("onnxscript")]
    for kind, (make, maker) in kinds.items():
        for exporter in exporters:
            name = f"torch_{kind}_{exporter}"
            if any(word in name for word in words):
                torch.manual_seed(0)
                yield exported(name, make().eval(), maker, exporter)


def exported(name: str, module: Any, maker: Maker, exporter: str) -> Entry:
    """
    Return a module of one input as one of torch's exporters writes it.

    The module is kept, so that torch is a runtime of the model.
    """
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example = torch.from_numpy(maker(np.random.default_rng(0)))
    with tempfile.TemporaryDirectory() as folder, _silent():
        path = Path(folder) / "m.onnx"
        newer = exporter == "dynamo"
        torch.onnx.export(
            module, (example,), path, input_names=["x"], opset_version=_OPSETS[exporter], dynamo=newer
        )
        model = onnx.load(path)

    def run(feeds: Arrays) -> Sequence[NDArray[Any]]:
        with torch.no_grad():
            found = module(torch.from_numpy(feeds["x"]))
        return [part.numpy() for part in (found if isinstance(found, tuple) else (found,))]

    return Entry(name, model, trained=False, inputs=partial(made, {"x": maker}), torch=run)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Both exporters talk, and warn of what they trace."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
