"""A model on a whole evaluation set: do the runtimes give the same labels, and are they as good?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import ArrayLike

from softops.opset import ModelSource

from ..errors import ModelNotRunError
from ..measure.brief import Brief, Briefed, Table
from ..measure.numbers import number, percent
from ..measure.plain import as_json, plain
from ..models.batch import rows_at_a_time
from ..models.examination import examine
from ..models.report import Report
from ..runtimes.loading import load
from ..runtimes.names import chosen_runtimes
from ..runtimes.protocol import Runtime, name_of
from ..runtimes.softops import SoftopsRuntime
from ..steps.graph import ModelGraph
from ..steps.ground import Ground
from ..steps.source import open_source
from ..steps.step import Bounds
from ..workers.cluster import Cluster
from .agreement import Agreement
from .batches import batches_here, batches_on_dask
from .calibration import Scores
from .dataset import Dataset
from .tally import Tally, asked


@dataclass(repr=False)
class Evaluation(Briefed):
    """
    What `evaluate` found.

    Attributes
    ----------
    rows
        How many rows the set has.
    scores
        How good the answers are, by runtime; softops comes first.
    seconds
        How long the runs took, by runtime.
    agreements
        Each runtime against softops, and every two of them.
    reports
        The verdicts on each runtime for the first batch.
    wrong
        What is wrong, a sentence each.
    unsettled
        What differs where it cannot be told which of the two is wrong, a sentence each.
    not_run
        Why a runtime could not be run, by name.
    """

    rows: int
    scores: dict[str, Scores] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    agreements: list[Agreement] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def headings(self) -> list[str]:
        """The first lines of the reports: runtime, version, devices and precision."""
        return [report.heading for report in self.reports.values()]

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the runtimes besides, each once."""
        return list(dict.fromkeys(note for report in self.reports.values() for note in report.notes))

    @property
    def compared(self) -> bool:
        """Whether there was a row to compare."""
        return any(agreement.rows for agreement in self.agreements)

    @property
    def passed(self) -> bool:
        """Whether every runtime was run, was right on the first batch and changed no label but close ones."""
        return self.compared and not self.wrong and not self.unsettled and not self.not_run

    @property
    def verdict(self) -> str:
        """What was found in a word or two."""
        if not self.compared and not self.wrong:
            return "nothing compared"
        if self.passed:
            return "right"
        return "wrong" if self.wrong else "not all could be run" if self.not_run else "cannot tell"

    @property
    def brief(self) -> Brief:
        """How good the answers are, how often they agree, and what is wrong."""
        tables = [
            Table(
                ("runtime", "accuracy", "calibration error", "Brier score", "seconds"),
                [
                    (
                        name,
                        percent(scores.accuracy),
                        number(scores.ece),
                        number(scores.brier),
                        f"{self.seconds[name]:.3g}",
                    )
                    for name, scores in self.scores.items()
                ],
            )
        ]
        sentences = [f"wrong: {reason}" for reason in self.wrong]
        sentences += [f"cannot tell: {reason}" for reason in self.unsettled]
        sentences += [f"{name} was not run: {reason}" for name, reason in self.not_run.items()]
        sentences += map(str, self.agreements)
        passed = self.passed or (False if self.wrong else None)
        return Brief(
            f"Evaluation of {self.rows:,} rows",
            self.verdict,
            passed,
            tables if self.scores else [],
            sentences + self.notes,
        )

    def to_json(self) -> str:
        """Return everything but the arrays as JSON; NaN and infinities as strings."""
        everything = {
            "schema": 1,
            "headings": self.headings,
            "passed": self.passed,
            "rows": self.rows,
            "scores": {name: scores._asdict() for name, scores in self.scores.items()},
            "seconds": self.seconds,
            "agreements": [agreement.to_dict() for agreement in self.agreements],
            "wrong": self.wrong,
            "unsettled": self.unsettled,
            "not_run": self.not_run,
            "notes": self.notes,
            "reports": {name: report.to_dict() for name, report in self.reports.items()},
        }
        return as_json(plain(everything))


def evaluate(
    model: ModelSource,
    dataset: str | Path | Mapping[str, ArrayLike],
    runtimes: Sequence[str | Runtime] = ("onnxruntime",),
    *,
    labels: str | Path | ArrayLike | None = None,
    batch: int | None = None,
    max_ulp: float | None = None,
    rtol: float = 1e-3,
    dask: Cluster | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """
    Run a classifier on an evaluation set, in batches, in each runtime and in our backend.

    The first batch is judged step by step as `softops.conformance.validate` does. Over all batches the labels are
    compared: one that changes although our scores of the two classes are more than ``2·rtol`` of the largest
    score apart is wrong. With true labels each runtime's accuracy, calibration error and Brier score are given.

    Parameters
    ----------
    model
        As for `softops.conformance.validate`.
    dataset
        The path of an ``.npz`` file, or arrays by name: one for each input of the model, a row each along the
        first axis. An input of the very shape that the model fixes is fed whole with every batch. Further
        arrays are let be. What does not fit into memory is read a batch at a time: a folder of ``.npy`` files named for
        the inputs, a ``.zarr`` group of arrays, Parquet columns (a file or a folder of ``.parquet`` files), of which a
        row group has to fit; docs/conformance.md says which columns are an input.
    runtimes
        Names, or runtimes of different names.
    labels
        The true labels: the name of an array of the dataset, the path of a ``.npy`` file, or an array of shape
        (rows,). By default the array ``labels``, ``label`` or ``y`` of the dataset, if there is one. Labels as
        the model gives them, or the numbers of the classes.
    batch
        Rows in a batch, where the model does not fix it; by default at most 256, fewer where a row takes much time or
        memory.
    max_ulp, rtol
        As for `softops.conformance.validate`.
    dask
        A cluster whose workers run the batches and read the files of the dataset, by the same paths: the address of a
        scheduler, a ``distributed.Client``, or ``local``. The figures are those of a single process, for the same
        batches, but for the seconds; the first batch is judged in this process.
    progress
        Called with how many rows are done, and of how many.

    Raises
    ------
    UnknownRuntimeError, ModelError
        As for `softops.conformance.validate`.
    MissingPackageError, ClusterError
        The package that reads the dataset, or Dask, is not installed; the cluster is not there or is lost.
    ModelNotRunError
        Our own backend does not run the model, to which everything is compared.
    TypeError, ValueError, OSError
        The arrays do not fit the model, one another or the labels, or cannot be read; no output is an answer.
    """
    bounds = Bounds(max_ulp)
    graph = ModelGraph(open_source(model))
    data = Dataset(graph.source.model, dataset, labels, rows_at_a_time(graph) if batch is None else batch)
    chosen, not_run = chosen_runtimes(runtimes)
    found, ours = Evaluation(data.rows, not_run=not_run), SoftopsRuntime(fuse=False)
    runs = {ours.name: load(ours, graph.content, graph.source.folder)}
    for name, runtime in chosen.items():
        if name == ours.name or not data.rows:
            continue
        try:
            report, _ = examine(graph, runtime, data.first, bounds, label=name)
            runs[name] = load(runtime, graph.content, graph.source.folder)
        except ModelNotRunError as error:
            found.not_run[name] = str(error)
            continue
        found.reports[name] = report
        found.wrong += [f"{name}: {failure}" for failure in report.failures]
        found.unsettled += [f"{name}: {reason}" for reason in report.unsettled]
    if data.rows and not _unlike(found.reports):
        questions = asked(graph, runs, data.batch(0), rtol)
        if dask is None:
            batches = batches_here(data, questions, runs)
        else:
            given = {one if isinstance(one, str) else name_of(one): one for one in runtimes}
            others = {name: given[name] for name in runs if name != ours.name}
            batches = batches_on_dask(data, questions, (graph.content, graph.source.folder), others, dask)
        tally = Tally(questions)
        with closing(batches):
            for each in batches:
                tally.add(each)
                if progress is not None:
                    progress(each.end, data.rows)
        found.scores = {name: entry.scores() for name, entry in tally.calibrations.items()}
        found.seconds, found.agreements = tally.seconds, tally.agreements
        ground = Ground(graph)
        doubts = any(ground.doubt(name, data.first) for name in graph.compared)
        (found.unsettled if doubts else found.wrong).extend(tally.wrong)
        found.not_run |= tally.not_run
    return found


def _unlike(reports: Mapping[str, Report]) -> bool:
    """Whether outputs are of another number, dtype or shape, so that no answers can be read from them."""
    return any(report.apart.unlike or not report.outputs for report in reports.values())
