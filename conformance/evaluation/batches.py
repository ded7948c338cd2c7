"""The batches of an evaluation set, one after another here, or blocks of them over the workers of a Dask cluster."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..runtimes.loading import load
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Run, Runtime
from ..runtimes.sent import Sent, receive, send
from ..runtimes.softops import SoftopsRuntime
from ..workers.cluster import Cluster, check_versions, connected, in_order, versions
from ..workers.kept import forget_everywhere, kept
from .dataset import Dataset
from .tally import Examination, OfBatch, Questions

_BLOCK_BATCHES = 16
"""So many batches are a task."""


class _Job(NamedTuple):
    """What is the same for every task."""

    job: str
    versions: dict[str, str]
    model: bytes
    folder: Path | None
    runtimes: dict[str, Sent]
    questions: Questions


def batches_here(
    data: Dataset, questions: Questions, runs: Mapping[str, Run]
) -> Generator[OfBatch, None, None]:
    """Yield what each batch adds, in their order."""
    examination = Examination(questions, runs)
    for batch in data:
        yield examination.of(batch)


def batches_on_dask(
    data: Dataset,
    questions: Questions,
    model: tuple[bytes, Path | None],
    runtimes: Mapping[str, str | Runtime],
    cluster: Cluster,
) -> Generator[OfBatch, None, None]:
    """
    Yield the same from tasks on a cluster, whose workers read the files of the dataset themselves.

    ``model`` is its content, and the folder of its tensors; ``runtimes`` those other than ours, by their names.
    Raises as `connected`, `in_order`, `send` and `receive`.
    """
    sent = {name: send(runtime) for name, runtime in runtimes.items()}
    with connected(cluster) as client:
        content, folder = model
        job = _Job(
            uuid.uuid4().hex,
            versions(),
            content,
            None if folder is None else folder.absolute(),
            sent,
            questions,
        )
        step = _BLOCK_BATCHES * data.size
        blocks = [
            (data.part(start, start + step), start, start + step) for start in range(0, data.rows, step)
        ]
        try:
            with closing(in_order(client, examine_block, blocks, job=job)) as results:
                for found in results:
                    yield from found
        finally:
            forget_everywhere(client, job.job)


def examine_block(block: tuple[Dataset, int, int], job: _Job) -> list[OfBatch]:
    """Return what the batches that begin with some rows add: a task."""
    check_versions(job.versions)
    data, start, stop = block
    with kept(job.job, partial(_loaded, job)) as runs:
        examination = Examination(job.questions, runs)
        return [examination.of(data.batch(first)) for first in data.starts if start <= first < stop]


def _loaded(job: _Job) -> dict[str, Run]:
    runs: dict[str, Run] = {}
    for name in job.questions.names:
        runtime = (
            get_runtime(receive(job.runtimes[name])) if name in job.runtimes else SoftopsRuntime(fuse=False)
        )
        runs[name] = load(runtime, job.model, job.folder)
    return runs
