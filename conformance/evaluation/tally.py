"""The batches of an evaluation set in every runtime, added up."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelNotRunError
from ..measure.metrics import dtype_name
from ..runtimes.protocol import Run
from ..steps.graph import Arrays, ModelGraph
from .agreement import Agreement
from .answers import Answer, Reader
from .calibration import Calibration
from .dataset import Dataset


class Tally:
    """
    Runs batch after batch and adds up, by runtime: ours first, of one that failed on the way nothing.

    ``agreements`` has each runtime against ours, and every two of them; ``wrong`` and ``not_run`` as in `Evaluation`.
    """

    def __init__(self, graph: ModelGraph, runs: Mapping[str, Run], rtol: float) -> None:
        self._graph, self._runs = graph, dict(runs)
        self._ours, *others = runs
        pairs = [(name, self._ours) for name in others] + list(itertools.combinations(others, 2))
        self.calibrations = {name: Calibration() for name in runs}
        self.seconds = dict.fromkeys(runs, 0.0)
        self.agreements = [Agreement(*pair, rtol) for pair in pairs or [(self._ours, self._ours)]]
        self.wrong: list[str] = []
        self.not_run: dict[str, str] = {}

    def over(self, data: Dataset, progress: Callable[[int, int], None] | None) -> None:
        """Go over all batches."""
        reader: Reader | None = None
        truth = data.labels
        classes: dict[Any, int] | None = None
        for start, feeds, rows, count in data:
            outputs = self._all_outputs(feeds, start)
            if reader is None:
                ours = outputs[self._ours]
                reader = Reader(self._graph, ours, rows)
                truth = None if truth is None else _as_labels(truth, reader, ours, rows)
                if reader.classes is not None:
                    classes = {label: column for column, label in enumerate(reader.classes.tolist())}
            answers = {name: _cut(reader.read(given, rows), count) for name, given in outputs.items()}
            true = None if truth is None else truth[start : start + count]
            columns = _columns(true, classes)
            for name, answer in answers.items():
                self.calibrations[name].add(answer.labels, answer.probabilities, true, columns)
            for agreement in self.agreements:
                agreement.add(answers[agreement.left], answers[agreement.right], start, classes)
            if progress is not None:
                progress(start + count, data.rows)
        self.wrong += [
            f"{entry.left}: {entry.clear:,} of {entry.rows:,} labels differ from ours by more than rounding explains"
            for entry in self.agreements
            if entry.clear and entry.right == self._ours
        ]

    def _all_outputs(self, feeds: Arrays, start: int) -> dict[str, Arrays]:
        """Run a batch in every runtime; one that fails now is left out from here on, and what was added up of it."""
        outputs = {self._ours: self._outputs(self._ours, feeds)}
        for name in [name for name in self._runs if name != self._ours]:
            try:
                found = self._outputs(name, feeds)
            except ModelNotRunError as error:
                self.not_run[name] = str(error)
                self._leave_out(name)
                continue
            unlike = [
                f"{name}: {key} from row {start} on: expected {_form(right)} (got {_form(found[key])})"
                for key, right in outputs[self._ours].items()
                if _form(right) != _form(found[key])
            ]
            if unlike:
                self.wrong += unlike
                self._leave_out(name)
            else:
                outputs[name] = found
        return outputs

    def _leave_out(self, name: str) -> None:
        del self._runs[name], self.calibrations[name], self.seconds[name]
        self.agreements = [entry for entry in self.agreements if name not in (entry.left, entry.right)]

    def _outputs(self, name: str, feeds: Arrays) -> Arrays:
        names, start = self._graph.outputs, time.perf_counter()
        outputs = self._runs[name](feeds)
        self.seconds[name] += time.perf_counter() - start
        if len(outputs) != len(names):
            message = f"expected {len(names)} outputs of {name} (got {len(outputs)})"
            raise ModelNotRunError(message)
        pairs = zip(names, outputs, strict=True)
        return {key: np.asarray(x) for key, x in pairs if key in self._graph.compared}


def _form(array: NDArray[Any]) -> str:
    return f"{dtype_name(array)}{list(array.shape)}"


def _cut(answer: Answer, count: int) -> Answer:
    scores, probabilities = (None if x is None else x[:count] for x in answer[1:])
    return Answer(answer.labels[:count], scores, probabilities)


def _as_labels(truth: NDArray[Any], reader: Reader, outputs: Arrays, rows: int) -> NDArray[Any]:
    """Return the true labels as the model writes them: numbers stand for classes where its labels are strings."""
    words = reader.read(outputs, rows).labels.dtype.kind in "OSUT"
    if words == (truth.dtype.kind in "OSUT"):
        return truth
    classes = reader.classes
    if words and classes is not None and truth.size and 0 <= truth.min() <= truth.max() < len(classes):
        return np.asarray(classes[truth])
    message = (
        f"expected true labels as the model gives them, {'strings' if words else 'integers'} (got {truth.dtype}); "
        "translate them"
    )
    raise ValueError(message)


def _columns(truth: NDArray[Any] | None, classes: Mapping[Any, int] | None) -> NDArray[np.intp] | None:
    """Return the column of each true label; None where one is of no column."""
    if truth is None or classes is None:
        return None
    found = [classes.get(label, -1) for label in truth.tolist()]
    return None if -1 in found else np.array(found, np.intp)
