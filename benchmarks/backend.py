"""``python -m benchmarks.backend``: what runs of heads and small networks take in our backend and in onnxruntime."""

import importlib.util
import sys
from collections.abc import Callable
from typing import Annotated

import numpy as np
import onnx
import onnxruntime
import typer
from rich.console import Console
from rich.table import Table

from softops.opset.backend import prepare

from .timing import QUICK, Method, fastest

SHAPES = ((1, 64, 10), (1, 512, 1000), (1024, 64, 10), (1024, 512, 1000))
BODIES = {
    "Gemm + Softmax": "s = Gemm <transB = 1> (x, w, b) p = Softmax (s)",
    "Gemm + Relu + Mul + Softmax": (
        "s = Gemm <transB = 1> (x, w, b) r = Relu (s) "
        "v = Constant <value = float[1] {0.5}> () t = Mul (r, v) p = Softmax (t)"
    ),
}
"""Heads over (batch, features) with weights of (classes, features)."""


def head(features: int, classes: int, body: str) -> onnx.ModelProto:
    """A head with random weights, which every runtime takes as constants."""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> '
        f"head (float[n,{features}] x) => (float[n,{classes}] p) {{ {body} }}"
    )
    random = np.random.default_rng(0)
    weights = random.standard_normal((classes, features), np.float32) / np.sqrt(features, dtype=np.float32)
    for name, value in (("w", weights), ("b", random.standard_normal(classes, np.float32))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    return model


def contestants(
    model: onnx.ModelProto, feeds: dict[str, np.ndarray], most: float = 1e-6
) -> dict[str, Callable[[], object]]:
    """A call of a run for each runtime, by NumPy arrays in a dict."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    prepared = prepare(model)
    for actual, expected in zip(prepared.run(feeds), session.run(None, feeds), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=most)  # sums in any order
    return {"softops": lambda: prepared.run(feeds), "onnxruntime": lambda: session.run(None, feeds)}


def run(
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds a runtime gets.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few short rounds: to see that it runs.")] = False,
) -> None:
    """Time runs of classifier heads and of small networks, the fastest round of each runtime."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    base = QUICK if quick else Method(rounds=30)
    method = Method(rounds or base.rounds, base.round_seconds, base.rest_seconds, base.patience)
    table = Table(
        title=f"Time of a run beside onnxruntime {onnxruntime.__version__}, µs", title_justify="left"
    )
    for column in ("head", "batch", "features", "classes", "softops", "onnxruntime", "ratio"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for name, body in BODIES.items():
        for batch, features, classes in SHAPES:
            x = np.random.default_rng(1).standard_normal((batch, features), np.float32)
            seconds = fastest(contestants(head(features, classes, body), {"x": x}), method)
            ours, theirs = seconds["softops"] * 1e6, seconds["onnxruntime"] * 1e6
            cells = (str(batch), str(features), str(classes), f"{ours:,.1f}", f"{theirs:,.1f}")
            table.add_row(name, *cells, f"{ours / theirs:.2f}")
    console.print(table)
    if importlib.util.find_spec("torch") is None:
        console.print("torch is not installed: the networks that it exports are left out.")
        return
    from .networks import networks

    table = Table("network", title="The same of networks, ms", title_justify="left")
    for column in ("softops", "onnxruntime", "ratio"):
        table.add_column(column, justify="right")
    for name, model, feeds in networks():
        seconds = fastest(contestants(model, feeds, most=1e-4), method)
        ours, theirs = seconds["softops"] * 1e3, seconds["onnxruntime"] * 1e3
        table.add_row(name, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(run)
