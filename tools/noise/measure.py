"""Right runtimes of a model, run and judged against its noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.conformance import ModelNotRunError, RuntimeNotInstalledError, noise
from softops.conformance.rounding.judgement import Judgement
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.opset.graph.files import serialize

from .entry import RIGHT, Arrays, Entry
from .tally import Tally, ratios

EXPLAINED = ("equal", "explained by rounding")
UNDECIDED = "not decidable"

Runs = dict[str, Callable[[Arrays], Arrays]]
"""What runs a model in each runtime: from inputs by name to outputs by name."""

TOLERANCES = {
    "1.3e-6, 1e-5": (1.3e-6, 1e-5),
    "1e-5, 1e-5": (1e-5, 1e-5),
    "1e-5, 1e-4": (1e-5, 1e-4),
    "1e-3, 1e-5": (1e-3, 1e-5),
    "1e-5, 1e-3": (1e-5, 1e-3),
}
"""Relative and absolute tolerances that people use: the names of columns, and the two numbers."""


class Row(NamedTuple):
    """What became of a model: how right runtimes compare with its noise."""

    name: str
    trained: bool
    runtimes: list[str]
    absent: list[str]
    tally: Tally
    comparisons: int
    undecided: int
    alarms: list[str]
    accused: dict[str, int]
    seconds: float
    failed: str = ""

    @property
    def said(self) -> str:
        """What became of it, in a line."""
        if self.failed:
            return f"not measured: {self.failed}"
        tally = self.tally
        return (
            f"{self.comparisons} comparisons, median {tally.median:.2f}, largest {tally.largest:.1f}, "
            f"{len(self.alarms)} false alarms, {self.seconds:.1f} s per input"
        )


def runs_of(entry: Entry, names: Sequence[str] = RIGHT) -> tuple[Runs, list[str]]:
    """Return what runs a model in each runtime that takes it, and of the others why they do not."""
    content = serialize(entry.model)
    found: Runs = {}
    absent = []
    for name in names:
        try:
            found[name] = by_name(entry.model, load(get_runtime(name), content))
        except (ModelNotRunError, RuntimeNotInstalledError) as error:
            absent.append(f"{name}: {error}")
    if entry.torch is not None:
        found["torch"] = by_name(entry.model, entry.torch)
    return found, absent


def by_name(
    model: onnx.ModelProto, run: Callable[[Arrays], Sequence[NDArray[Any]]]
) -> Callable[[Arrays], Arrays]:
    """Return a function that gives a model's outputs by name."""
    names = [value.name for value in model.graph.output]
    return lambda feeds: dict(zip(names, run(feeds), strict=True))


def noise_of(entry: Entry, feeds: Arrays, samples: int) -> dict[str, Any]:
    """Return the noise of the outputs of a model that are compared, by name."""
    return dict(noise(entry.model, feeds, samples=samples).outputs)


def judgements(outputs: dict[str, Any], actual: Arrays) -> Iterator[tuple[Any, NDArray[Any], Judgement]]:
    """Yield the noise of each output, what a runtime gave for it, and what is judged of that."""
    for name, tensor in outputs.items():
        array = actual[name]
        fits = array.shape == tensor.shape
        yield (
            tensor,
            array,
            tensor.judge(array) if fits else Judgement("not explained", reason="another shape"),
        )


def ratios_of(tensor: Any, actual: NDArray[Any]) -> NDArray[np.float64]:
    """Return |difference| / σ of an output; none of one that is no float."""
    if actual.shape != tuple(tensor.shape) or actual.dtype.kind in "iubOSU":
        return np.zeros(0)
    return ratios(actual, tensor.exact, tensor.sigma)


def within(actual: NDArray[Any], expected: NDArray[Any], rtol: float, atol: float) -> bool:
    """Say whether an output lies within tolerances of the exact one, which is rounded to its type first."""
    if actual.shape != expected.shape:
        return False
    if actual.dtype.kind in "iubOSU":
        return bool(np.array_equal(actual, expected))
    return bool(np.allclose(actual, expected.astype(actual.dtype), rtol, atol, equal_nan=True))


def accusations(outputs: dict[str, Any], actual: Arrays) -> dict[str, bool]:
    """Say which tolerances call the outputs of a runtime wrong."""
    return {
        name: not all(within(actual[key], tensor.exact, *both) for key, tensor in outputs.items())
        for name, both in TOLERANCES.items()
    }
