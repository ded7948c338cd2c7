"""Every case in one runtime: what `softops conformance` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from importlib.metadata import version
from typing import Any

import onnx

from ..cases.case import Case
from ..cases.grid import cases, depth_of
from ..causes.likely import likely_causes
from ..errors import check_choice
from ..measure.precision import Precision
from ..runtimes.entries import entry_of
from ..runtimes.isolated import close, with_time_limit
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Runtime, name_of, precision_of, settings_of, version_of
from ..verdicts.known import known_deviations, marked
from ..verdicts.record import CaseRecord
from ..verdicts.rules import BOUNDS, OURS, Bound
from ..workers.cluster import Cluster
from .dask_workers import examine_on_dask
from .examiner import Examiner
from .processes import WORTH_CASES, examine_in_processes
from .report import SuiteReport, platform_here
from .smoke import SmokeDetector


def run(
    runtime: str | Runtime,
    *,
    ops: Iterable[str] | None = None,
    opsets: Iterable[int] | None = None,
    dtypes: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    quick: bool = False,
    full: bool = False,
    seed: int = 0,
    bound: Bound = "strict",
    time_limit: float | None = None,
    jobs: int = 1,
    dask: Cluster | None = None,
    progress: Callable[[int, int, CaseRecord], None] | None = None,
) -> SuiteReport:
    """
    Tell whether a runtime computes the softmax family right.

    Every operator at every version of `softops.opset.operators` is run as a model of a single node, in
    every dtype, along every axis, on every family of inputs (`softops.conformance.cases.families`), in graphs of
    several forms, and judged by every verdict of `softops.conformance.verdicts.verdicts` against the oracle.

    Parameters
    ----------
    runtime
        A name (see `runtimes`), with options behind a colon, or an object with ``supports(op, opset,
        dtype)`` and ``run(model, feeds)``.
    ops, opsets, dtypes, families
        Names, and versions to import; everything by default.
    quick, full
        Fewer cases, in seconds; or many more, overnight.
    seed
        What the inputs are made from.
    bound
        ``exact``: what softops promises (`softops.conformance.verdicts.promises`); ``strict``: the bounds derived in
        `softops.conformance.verdicts.allowances`; ``webnn`` or ``onnx``: those of others. Deviations are known by the
        bound that they are listed for, mostly ``strict``: what breaks ``exact`` alone is not.
    time_limit
        Seconds that a model may take to load or to run; the runtime then has a process of its own, which
        may crash or hang without harm. None leaves it in this one: an object that ends the process, as a panic in
        Rust does, ends the run with it. For a process of its own an object has to be pickled, so its class stands at
        the top of a module.
    jobs
        Over how many processes the cases are spread, where they are many and ``runtime`` is a name; 0 for the
        number of processors. A script that asks for several needs ``if __name__ == "__main__":``.
    dask
        A cluster to spread the cases over in place of that: the address of a scheduler, a ``distributed.Client``, or
        ``local`` for a worker for each processor; see docs/distributed.md. The report is the one of a single process
        but for ``seconds``. The workers have the runtime in the version that is here, and the cases that end a worker's
        process are told. An object goes there by cloudpickle.
    progress
        Called after each case with how many are done, how many there are, and its record.

    Returns
    -------
    SuiteReport
        A runtime that is wrong, crashes or hangs is reported, not raised; nothing compared does not pass.

    Raises
    ------
    UnknownRuntimeError, RuntimeNotInstalledError
        There is no such runtime here.
    RuntimeUnusableError
        It can run nothing at all: its program does not start, or its first cases, trivial models and a case of every
        operator all fail with the same words.
    MissingPackageError, ClusterError
        Dask is not installed; the cluster is not there, has no workers or other versions, or is lost on the way.
    TypeError, ValueError
        ``runtime`` is none, or no object that can be sent to the process that ``time_limit`` asks for; a name is not
        known; or no case is left.

    Examples
    --------
    >>> report = run("onnxruntime", ops=["Hardmax"], opsets=[13], dtypes=["float32"], quick=True)
    >>> report.passed
    True
    """
    choice = {"ops": ops, "opsets": opsets, "dtypes": dtypes, "families": families}
    asked: dict[str, Any] = {name: _listed(given) for name, given in choice.items()}
    asked |= {"depth": depth_of(quick=quick, full=full), "seed": seed}
    listed = cases(**asked, settings=settings_of(get_runtime(runtime)))
    command = {**asked, "time_limit": time_limit}
    return run_cases(
        runtime,
        listed,
        bound=bound,
        time_limit=time_limit,
        jobs=jobs,
        dask=dask,
        progress=progress,
        command=command,
    )


def run_cases(
    runtime: str | Runtime,
    listed: Sequence[Case],
    *,
    bound: Bound = "strict",
    time_limit: float | None = None,
    jobs: int = 1,
    dask: Cluster | None = None,
    progress: Callable[[int, int, CaseRecord], None] | None = None,
    command: dict[str, Any] | None = None,
) -> SuiteReport:
    """Run the cases that are given; otherwise as `run`."""
    if time_limit is not None and not time_limit > 0:
        message = f"expected a time limit above 0 seconds (got {time_limit!r}); pass for instance 30"
        raise ValueError(message)
    if jobs < 0:
        message = f"expected a number of processes of 1 or more, or 0 for all processors (got {jobs})"
        raise ValueError(message)
    if dask is not None and jobs not in (0, 1):
        message = f"expected either a number of processes or a cluster of Dask (got {jobs} and {dask}); leave one out"
        raise ValueError(message)
    start = time.perf_counter()
    chosen = get_runtime(runtime)
    records = []
    platforms: list[str] = []
    if dask is None:
        examined = _examined(runtime, listed, bound, time_limit, jobs or _processors())
    else:
        check_choice("a bound", bound, BOUNDS)
        examined = examine_on_dask(runtime, listed, bound, time_limit, dask, platforms)
    with closing(examined):  # should progress raise, the processes end now and not some time
        for record in examined:
            records.append(record)
            if progress is not None:
                progress(len(records), len(listed), record)
    name, own = name_of(chosen), version_of(chosen)
    known = known_deviations(name, own)
    found, gone = marked(records, known)
    notes = _chosen_precisions(chosen, records)
    if known.deviations and not known.is_of(own):
        notes.append(
            f"no deviations are listed for {name} {own}; those of {known.version} were used: what is not "
            "among them, or no longer occurs, has changed between the two"
        )
    return SuiteReport(
        runtime=name,
        runtime_version=own,
        entry=entry_of(runtime) or (),
        softops_version=version("softops"),
        onnx_version=str(onnx.__version__),
        platform="; ".join(platforms) or platform_here(),
        command=command or {},
        bound=bound,
        bounds=BOUNDS,
        seconds=time.perf_counter() - start,
        cases=found,
        # What is right by other people's bounds need not have changed.
        vanished=gone if bound in OURS else (),
        notes=tuple(notes),
        causes=likely_causes(found),
    )


def _chosen_precisions(runtime: Runtime, records: Iterable[CaseRecord]) -> list[str]:
    """Say of each precision that was seen and is less than float32 why, and what to do about it."""
    full = precision_of(runtime).full
    seen = dict.fromkeys(Precision(record.computes_in, record.runs_on, full) for record in records)
    return [cause for cause in (precision.cause(name_of(runtime)) for precision in seen) if cause]


def _examined(
    runtime: str | Runtime, listed: Sequence[Case], bound: Bound, time_limit: float | None, jobs: int
) -> Generator[CaseRecord]:
    check_choice("a bound", bound, BOUNDS)
    if isinstance(runtime, str) and jobs > 1 and len(listed) >= WORTH_CASES:
        yield from examine_in_processes(runtime, listed, bound, time_limit, jobs)
        return
    chosen = get_runtime(runtime) if time_limit is None else with_time_limit(runtime, time_limit)
    try:
        detector = SmokeDetector(chosen, Examiner(chosen, bound), listed)
        for case in listed:
            yield detector.examine(case)
    finally:
        close(chosen)


def _processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _listed(given: Iterable[Any] | None) -> list[Any] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str | int) else list(given)
