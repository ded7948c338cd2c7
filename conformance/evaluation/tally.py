"""The batches of an evaluation set in every runtime, added up."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..measure.metrics import dtype_name
from ..models.cuts import Plan
from ..runtimes.protocol import ModelNotRunError, Run
from .agreement import Agreement
from .answers import Answer, Reader
from .batches import Batches
from .calibration import Calibration

if TYPE_CHECKING:
    from .evaluation import Evaluation

Arrays = dict[str, NDArray[Any]]


class Tally:
    """
    Runs batch after batch and adds up.

    Parameters
    ----------
    plan, runs
        The model, and what runs it, by runtime: ours first.
    found
        Where the sums go.
    rtol
        As for `softops.conformance.evaluate`.
    """

    def __init__(self, plan: Plan, runs: dict[str, Run], found: Evaluation, rtol: float) -> None:
        self._plan, self._runs, self._found = plan, runs, found
        self._calibrations = {name: Calibration() for name in runs}
        first, *others = runs
        pairs = [(name, first) for name in others]
        pairs += list(itertools.combinations(others, 2))
        self._agreements = [Agreement(left, right, rtol) for left, right in pairs] or [
            Agreement(first, first, rtol)
        ]
        found.seconds = dict.fromkeys(runs, 0.0)

    def over(
        self, batches: Batches, truth: NDArray[Any] | None, progress: Callable[[int, int], None] | None
    ) -> None:
        """Go over all batches and fill in what was found."""
        reader: Reader | None = None
        classes: dict[Any, int] | None = None
        for start, feeds, rows, count in batches:
            outputs = self._all_outputs(feeds, start)
            if reader is None:
                reader = Reader(self._plan, next(iter(outputs.values())), rows)
                truth = (
                    None if truth is None else _as_labels(truth, reader, next(iter(outputs.values())), rows)
                )
                if reader.classes is not None:
                    classes = {label: column for column, label in enumerate(reader.classes.tolist())}
            answers = {name: _cut(reader.read(given, rows), count) for name, given in outputs.items()}
            true = None if truth is None else truth[start : start + count]
            columns = _columns(true, classes)
            for name, answer in answers.items():
                self._calibrations[name].add(answer.labels, answer.probabilities, true, columns)
            for agreement in self._agreements:
                agreement.add(answers[agreement.left], answers[agreement.right], start, classes)
            if progress is not None:
                progress(start + count, batches.rows)
        self._found.scores = {name: entry.scores() for name, entry in self._calibrations.items()}
        self._found.agreements = self._agreements
        ours = next(iter(self._runs))
        self._found.wrong += [
            f"{entry.left}: {entry.clear:,} of {entry.rows:,} labels are not ours, and not for rounding"
            for entry in self._agreements
            if entry.clear and entry.right == ours
        ]

    def _all_outputs(self, feeds: Arrays, start: int) -> dict[str, Arrays]:
        """Run a batch in every runtime; one that fails now is left out from here on, and what was added up of it."""
        (ours, run), *others = self._runs.items()
        outputs = {ours: self._outputs(ours, run, feeds)}
        for name, run in others:
            try:
                found = self._outputs(name, run, feeds)
            except ModelNotRunError as error:
                self._found.not_run[name] = str(error)
                self._leave_out(name)
                continue
            unlike = [
                f"{name}: {key} from row {start} on: expected {_form(right)} (got {_form(found[key])})"
                for key, right in outputs[ours].items()
                if _form(right) != _form(found[key])
            ]
            if unlike:
                self._found.wrong += unlike
                self._leave_out(name)
            else:
                outputs[name] = found
        return outputs

    def _leave_out(self, name: str) -> None:
        del self._runs[name], self._calibrations[name], self._found.seconds[name]
        self._agreements = [entry for entry in self._agreements if name not in (entry.left, entry.right)]

    def _outputs(self, name: str, run: Run, feeds: Arrays) -> Arrays:
        start = time.perf_counter()
        outputs = run(feeds)
        self._found.seconds[name] += time.perf_counter() - start
        if len(outputs) != len(self._plan.outputs):
            message = f"expected {len(self._plan.outputs)} outputs of {name} (got {len(outputs)})"
            raise ModelNotRunError(message)
        pairs = zip(self._plan.outputs, outputs, strict=True)
        return {key: np.asarray(x) for key, x in pairs if key in self._plan.compared}


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
    if (
        words
        and reader.classes is not None
        and truth.size
        and 0 <= truth.min() <= truth.max() < len(reader.classes)
    ):
        return np.asarray(reader.classes[truth])
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
