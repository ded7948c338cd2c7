"""Faults planted in models, one after the other, and which of them the noise and fixed tolerances find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from softops.conformance import ModelNotRunError
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.opset.graph.files import serialize

from .entry import DISABLED, Arrays, Entry
from .faults import OF_MODELS, OF_OUTPUTS
from .measure import (
    EXPLAINED,
    TOLERANCES,
    UNDECIDED,
    accusations,
    by_name,
    judgements,
    noise_of,
    ratios_of,
    runs_of,
)
from .page import percent, table
from .sites import Shapes, copied

REACHES = 20.0
"""A fault reaches the outputs where it moves an element by more standard deviations than this."""

_OURS = "softops"

_SOURCES = """\
The tolerances are relative and absolute. 1.3e-6, 1e-5 are those of `torch.testing.assert_close` for float32
([1]({pytorch}/torch/testing/_comparison.py)). 1e-5, 1e-5 are those of Polygraphy
([2]({tensorrt}/tools/Polygraphy/polygraphy/comparator/compare.py)) and of optimum's exports
([3]({optimum}/convert.py): `numpy.allclose`), which set the second to 1e-4 for BERT and its like and to 1e-3 for ResNet
([4]({optimum}/model_configs.py)). 1e-3, 1e-5 are those of many guides to exporting. All are given the exact outputs to
compare with, rounded once: more than they have in use.
""".format(
    pytorch="https://github.com/pytorch/pytorch/blob/main",
    tensorrt="https://github.com/NVIDIA/TensorRT/blob/main",
    optimum="https://github.com/huggingface/optimum-onnx/blob/main/optimum/exporters/onnx",
)

_TEXT = """\
{models} models, {seeds} seeds each ({first} to {last}), {samples} noisy runs. A fault is planted at a place drawn by
the seed, the model run by onnxruntime without rewriting, and its outputs judged by the noise of the model without the
fault. A fault *reaches* the outputs where it moves an element by more than {reaches:g} standard deviations, beside the
same runtime without it. One that does not, such as a row of a weight that a Relu cuts off or an epsilon of 1e-12, is
hidden among the roundings, found or not. Found by softops means *not explained*. As the line is at 10, those that
reach are found nearly by definition, and how many reach says as much; the first share is of all trials, the others are
of those that reach.
"""


class Trial(NamedTuple):
    """A fault planted once: in what, whether it reached the outputs, and who found it."""

    model: str
    fault: str
    reaches: bool
    found: dict[str, bool]


class Right(NamedTuple):
    """What right runtimes were accused of, by whom, in how many runs; and how many the noise left undecided."""

    runs: int
    accused: Counter[str]
    undecided: int


class Planted(NamedTuple):
    """What was found in a model: its trials, what right runtimes were accused of, and what was left out and why."""

    model: str
    trials: list[Trial]
    right: Right
    left_out: list[str]

    @property
    def said(self) -> str:
        """What became of it, in a line."""
        reaching = [trial for trial in self.trials if trial.reaches]
        found = sum(trial.found[_OURS] for trial in reaching)
        return f"{len(self.trials)} trials, {len(reaching)} reach the outputs, {found} of these found"


def planted(entry: Entry, seeds: Sequence[int], samples: int, told: Callable[[], None]) -> Planted:
    """Plant every fault that a model has a place for on each seed; ``told`` is called after each seed."""
    runs, left_out = runs_of(entry)
    trials: list[Trial] = []
    accused: Counter[str] = Counter()
    count, undecided = 0, 0
    if DISABLED not in runs:
        return Planted(entry.name, trials, Right(0, accused, 0), left_out)
    shapes = shapes_of(entry.model, entry.inputs(seeds[0]))
    mutants = _Mutants(entry, shapes)
    for seed in seeds:
        feeds = entry.inputs(seed)
        try:
            outputs = noise_of(entry, feeds, samples)
        except (ValueError, TypeError, LookupError, ModelNotRunError) as error:
            left_out.append(f"not measured: {error}")
            break
        for name, run in list(runs.items()):
            try:
                actual = run(feeds)
            except ModelNotRunError as error:
                left_out.append(f"{name}: {error}")
                del runs[name]
                continue
            count += 1
            accused.update(name for name, wrong in _found(outputs, actual).items() if wrong)
            undecided += any(each.verdict == UNDECIDED for _, _, each in judgements(outputs, actual))
        if DISABLED not in runs:
            break
        trials += _trials(entry, seed, runs[DISABLED](feeds), feeds, outputs, mutants)
        told()
    return Planted(entry.name, trials, Right(count, accused, undecided), left_out + mutants.refused)


def _trials(
    entry: Entry,
    seed: int,
    right: Arrays,
    feeds: Arrays,
    outputs: dict[str, Any],
    mutants: _Mutants,
) -> Iterator[Trial]:
    for fault, actual in _wrong(entry.name, seed, right, feeds, mutants):
        reaches = any(_moved(tensor, right[name], actual[name]) > REACHES for name, tensor in outputs.items())
        yield Trial(entry.name, fault, reaches, _found(outputs, actual))


def _wrong(
    name: str, seed: int, right: Arrays, feeds: Arrays, mutants: _Mutants
) -> Iterator[tuple[str, Arrays]]:
    for fault in OF_MODELS:
        actual = mutants.run(fault, seed, feeds)
        if actual is not None:
            yield fault, actual
    for fault, change in OF_OUTPUTS.items():
        changed = change(list(right.values()), Random(f"{name}/{fault}/{seed}"))
        if changed is not None:
            yield fault, dict(zip(right, changed, strict=True))


def _found(outputs: dict[str, Any], actual: Arrays) -> dict[str, bool]:
    ours = any(each.verdict not in (*EXPLAINED, UNDECIDED) for _, _, each in judgements(outputs, actual))
    return {_OURS: ours} | accusations(outputs, actual)


def _moved(tensor: Any, was: NDArray[Any], now: NDArray[Any]) -> float:
    """Return by how many σ an output moved at most; infinity where it became another shape or lost a number."""
    if was.shape != now.shape or (np.isfinite(was) != np.isfinite(now)).any():
        return np.inf
    if was.dtype.kind != "f":
        return 0.0
    with np.errstate(invalid="ignore"):
        moved = tensor.exact + (now.astype(np.float64) - was)
    return float(ratios_of(tensor, moved).max(initial=0))


class _Mutants:
    """Runs faulty models; one that is refused is left out, and said once."""

    def __init__(self, entry: Entry, shapes: Shapes) -> None:
        self._entry, self._shapes = entry, shapes
        self._runtime = get_runtime(DISABLED)
        self.refused: list[str] = []

    def run(self, fault: str, seed: int, feeds: Arrays) -> Arrays | None:
        """Return the outputs of a model with a fault; None where it has no place for one, or was refused."""
        model = copied(self._entry.model)
        if not OF_MODELS[fault](model, self._shapes, Random(f"{self._entry.name}/{fault}/{seed}")):
            return None
        try:
            return by_name(model, load(self._runtime, serialize(model)))(feeds)
        except ModelNotRunError as error:
            self.refused.append(f"{fault}: {error}")
            return None


def shapes_of(model: onnx.ModelProto, feeds: Arrays) -> Shapes:
    """Return the shapes of what the nodes of a model's graph give, as onnxruntime has them; none where it refuses."""
    copy = copied(model)
    named = {value.name for value in copy.graph.output}
    names = [name for node in copy.graph.node for name in node.output if name and name not in named]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    try:
        found = load(get_runtime(DISABLED), serialize(copy))(feeds)
    except ModelNotRunError:
        return {}
    listed = [value.name for value in copy.graph.output]
    return {name: np.shape(array) for name, array in zip(listed, found, strict=True)}


def section(found: Sequence[Planted], seeds: Sequence[int], samples: int) -> str:
    """Return the section of the page: what was found, what right runtimes were accused of, and a table by model."""
    text = _TEXT.format(
        models=len(found), seeds=len(seeds), first=seeds[0], last=seeds[-1], samples=samples, reaches=REACHES
    )
    trials = [trial for each in found for trial in each.trials]
    faults = [fault for fault in (*OF_MODELS, *OF_OUTPUTS) if any(trial.fault == fault for trial in trials)]
    header = ("fault", "trials", "reach", "softops, of all", "softops", *TOLERANCES)
    rows = [_row(fault, [trial for trial in trials if trial.fault == fault]) for fault in faults]
    rows.append(_row("all", trials))
    runs = sum(each.right.runs for each in found)
    accused: Counter[str] = Counter()
    for each in found:
        accused.update(each.right.accused)
    falsely = ["right runtimes accused, of runs", f"{runs:,}", "-", "-"]
    falsely += [f"{accused[name]:,}" for name in (_OURS, *TOLERANCES)]
    by_model = table(("model", *faults), [_by_model(each, faults) for each in found])
    left_out = [
        f"- {each.model}: {text}" for each in found for text in dict.fromkeys(map(_short, each.left_out))
    ]
    return "\n\n".join(
        [
            text.strip(),
            _SOURCES.strip(),
            table(header, [*rows, falsely]),
            "Found by softops of those that reach, and how many of the trials did not:",
            by_model,
            *(["Left out:\n\n" + "\n".join(left_out)] if left_out else []),
        ]
    )


def _row(fault: str, trials: Sequence[Trial]) -> list[str]:
    reaching = [trial for trial in trials if trial.reaches]
    shares = [
        percent(sum(trial.found[name] for trial in reaching), len(reaching)) for name in (_OURS, *TOLERANCES)
    ]
    ours = percent(sum(trial.found[_OURS] for trial in trials), len(trials))
    return [fault, f"{len(trials):,}", f"{len(reaching):,}", ours, *shares]


def _by_model(each: Planted, faults: Sequence[str]) -> list[str]:
    cells = [each.model]
    for fault in faults:
        trials = [trial for trial in each.trials if trial.fault == fault]
        reaching = [trial for trial in trials if trial.reaches]
        found = sum(trial.found[_OURS] for trial in reaching)
        hidden = f" (+{len(trials) - len(reaching)})" if len(trials) > len(reaching) else ""
        cells.append(f"{found}/{len(reaching)}{hidden}" if trials else "-")
    return cells


def _short(text: str, most: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 2].rsplit(" ", 1)[0] + " …"
