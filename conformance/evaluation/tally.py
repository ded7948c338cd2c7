"""The batches of an evaluation set in every runtime, each added up by itself, and all of them in their order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from .dataset import Batch


@dataclass(frozen=True)
class Questions:
    """What is asked of every batch: whose outputs, which of them, how they are read; it can be sent elsewhere."""

    names: tuple[str, ...]
    """The runtimes, ours first."""
    outputs: tuple[str, ...]
    compared: tuple[str, ...]
    reader: Reader
    rtol: float

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each runtime against ours, and every two of them."""
        ours, *others = self.names
        found = [(name, ours) for name in others] + list(itertools.combinations(others, 2))
        return found or [(ours, ours)]


@dataclass
class OfBatch:
    """
    What a batch adds, by runtime.

    ``failed`` and ``unlike`` tell of those that are left out from here on, as they failed, or gave outputs of another
    form.
    """

    end: int
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    agreements: dict[tuple[str, str], Agreement] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unlike: dict[str, list[str]] = field(default_factory=dict)


class Examination:
    """Runs batches in the runtimes; what failed in one is not run in those after it."""

    def __init__(self, questions: Questions, runs: Mapping[str, Run]) -> None:
        self._asked, self._runs = questions, dict(runs)
        self._ours, *_ = questions.names
        classes = questions.reader.classes
        self._columns = (
            None if classes is None else {label: column for column, label in enumerate(classes.tolist())}
        )

    def of(self, batch: Batch) -> OfBatch:
        """Run a batch everywhere, and return what it adds."""
        start, feeds, rows, count, truth = batch
        found = OfBatch(start + count)
        outputs = self._all_outputs(feeds, start, found)
        reader = self._asked.reader
        answers = {name: _cut(reader.read(given, rows), count) for name, given in outputs.items()}
        true = None if truth is None else _as_labels(truth, answers[self._ours], reader.classes)
        columns = _columns(true, self._columns)
        for name, answer in answers.items():
            found.calibrations[name] = Calibration()
            found.calibrations[name].add(answer.labels, answer.probabilities, true, columns)
        for left, right in self._asked.pairs:
            if left in answers and right in answers:
                agreement = found.agreements[left, right] = Agreement(left, right, self._asked.rtol)
                agreement.add(answers[left], answers[right], start, self._columns)
        return found

    def _all_outputs(self, feeds: Arrays, start: int, told: OfBatch) -> dict[str, Arrays]:
        ours = self._outputs(self._ours, feeds, told)
        outputs = {self._ours: ours}
        for name in [name for name in self._runs if name != self._ours]:
            try:
                found = self._outputs(name, feeds, told)
            except ModelNotRunError as error:
                told.failed[name] = str(error)
                del self._runs[name]
                continue
            unlike = [
                f"{name}: {key} from row {start} on: expected {_form(right)} (got {_form(found[key])})"
                for key, right in ours.items()
                if _form(right) != _form(found[key])
            ]
            if unlike:
                told.unlike[name] = unlike
                del self._runs[name]
            else:
                outputs[name] = found
        return outputs

    def _outputs(self, name: str, feeds: Arrays, told: OfBatch) -> Arrays:
        start = time.perf_counter()
        outputs = named_outputs(self._asked.outputs, self._asked.compared, name, self._runs[name], feeds)
        told.seconds[name] = time.perf_counter() - start
        return outputs


class Tally:
    """
    Adds up what batches add, in their order, by runtime: ours first, of one that failed on the way nothing.

    ``agreements`` has each runtime against ours, and every two of them; ``wrong`` and ``not_run`` as in `Evaluation`.
    """

    def __init__(self, questions: Questions) -> None:
        self._ours, *_ = questions.names
        self.calibrations = {name: Calibration() for name in questions.names}
        self.seconds = dict.fromkeys(questions.names, 0.0)
        self.agreements = [Agreement(*pair, questions.rtol) for pair in questions.pairs]
        self._wrong: list[str] = []
        self.not_run: dict[str, str] = {}

    def add(self, batch: OfBatch) -> None:
        """Add a batch, the next one."""
        for name in [name for name in self.calibrations if name in batch.failed or name in batch.unlike]:
            if name in batch.failed:
                self.not_run[name] = batch.failed[name]
            self._wrong += batch.unlike.get(name, [])
            del self.calibrations[name], self.seconds[name]
            self.agreements = [entry for entry in self.agreements if name not in (entry.left, entry.right)]
        for name, calibration in self.calibrations.items():
            calibration.merge(batch.calibrations[name])
            self.seconds[name] += batch.seconds[name]
        for agreement in self.agreements:
            agreement.merge(batch.agreements[agreement.left, agreement.right])

    @property
    def wrong(self) -> list[str]:
        """What is wrong, a sentence each."""
        return self._wrong + [
            f"{entry.left}: {entry.clear:,} of {entry.rows:,} labels differ from ours by more than rounding explains"
            for entry in self.agreements
            if entry.clear and entry.right == self._ours
        ]


def asked(graph: ModelGraph, runs: Mapping[str, Run], first: Batch, rtol: float) -> Questions:
    """Return what is asked of every batch, by what our backend, the first of ``runs``, makes of the first."""
    ours = next(iter(runs))
    outputs = named_outputs(graph.outputs, graph.compared, ours, runs[ours], first.feeds)
    reader = Reader(graph, outputs, first.rows)
    return Questions(tuple(runs), tuple(graph.outputs), tuple(graph.compared), reader, rtol)


def named_outputs(
    names: Sequence[str], compared: Sequence[str], runtime: str, run: Run, feeds: Arrays
) -> Arrays:
    """Run a model, and return the outputs that are compared by name."""
    outputs = run(feeds)
    if len(outputs) != len(names):
        message = f"expected {len(names)} outputs of {runtime} (got {len(outputs)})"
        raise ModelNotRunError(message)
    return {key: np.asarray(x) for key, x in zip(names, outputs, strict=True) if key in compared}


def _form(array: NDArray[Any]) -> str:
    return f"{dtype_name(array)}{list(array.shape)}"


def _cut(answer: Answer, count: int) -> Answer:
    scores, probabilities = (None if x is None else x[:count] for x in answer[1:])
    return Answer(answer.labels[:count], scores, probabilities)


def _as_labels(truth: NDArray[Any], ours: Answer, classes: NDArray[Any] | None) -> NDArray[Any]:
    """Return the true labels as the model writes them: numbers stand for classes where its labels are strings."""
    words = ours.labels.dtype.kind in "OSUT"
    if words == (truth.dtype.kind in "OSUT"):
        return truth
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
