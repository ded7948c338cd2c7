"""The cases of a run spread over processes, each with a runtime of its own."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ..cases.case import Case
from ..runtimes.isolated import close, with_time_limit
from ..runtimes.names import get_runtime
from ..verdicts.record import CaseRecord
from ..verdicts.rules import Bound
from .examiner import Examiner
from .smoke import SmokeDetector, first_of_each

WORTH_CASES = 500
"""Fewer cases than this are done before the processes have started."""

_PART_CASES = 200

RESCUE_SECONDS = 60.0
"""The time limit of the cases that are run again, one by one, after their process has died."""

_detector: SmokeDetector | None = None


def examine_in_processes(
    runtime: str, listed: Sequence[Case], bound: Bound, time_limit: float | None, jobs: int
) -> Iterator[CaseRecord]:
    """
    Yield the record of each case, in the order of the cases, from ``jobs`` processes that each make a runtime.

    A process that dies, as one does with the runtime in it, takes nothing along: its cases are run again in
    processes of their own (`softops.conformance.runtimes.isolated`), and the others go on.

    RuntimeUnusableError: one of them found that it can run nothing.
    """
    parts, probes = parts_of(listed), first_of_each(listed)
    while parts:
        with _pool(runtime, bound, time_limit, jobs, probes) as pool:
            waiting: list[Future[list[CaseRecord]]] = [pool.submit(_examine, part) for part in parts]
            done = 0
            try:
                for future in waiting:
                    yield from future.result()
                    done += 1
            except BrokenProcessPool:
                pass
            finally:
                pool.shutdown(cancel_futures=True)
        if done < len(parts):
            yield from _rescued(runtime, parts[done], bound, probes)
            done += 1
        parts = parts[done:]


def parts_of(listed: Sequence[Case]) -> list[list[Case]]:
    """Cut the cases where another operator, version or dtype begins, so that models are loaded once."""
    parts = []
    for _, group in itertools.groupby(
        listed, key=lambda case: (case.domain, case.op, case.opset, case.dtype)
    ):
        cases = list(group)
        parts += [cases[start : start + _PART_CASES] for start in range(0, len(cases), _PART_CASES)]
    return parts


def _pool(
    runtime: str, bound: Bound, time_limit: float | None, jobs: int, probes: Sequence[Case]
) -> ProcessPoolExecutor:
    # Not a fork: threads and locks of a runtime in this process would come along, half alive.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, context, _start, (runtime, bound, time_limit, probes))


def _start(runtime: str, bound: Bound, time_limit: float | None, probes: Sequence[Case]) -> None:
    global _detector  # noqa: PLW0603  (one for each process, which has nothing else to keep it in)
    chosen = get_runtime(runtime) if time_limit is None else with_time_limit(runtime, time_limit)
    _detector = SmokeDetector(chosen, Examiner(chosen, bound), probes)


def _examine(part: list[Case]) -> list[CaseRecord]:
    assert _detector is not None
    return [_detector.examine(case) for case in part]


def _rescued(runtime: str, part: list[Case], bound: Bound, probes: Sequence[Case]) -> Iterator[CaseRecord]:
    isolated = with_time_limit(runtime, RESCUE_SECONDS)
    try:
        detector = SmokeDetector(isolated, Examiner(isolated, bound), probes)
        for case in part:
            yield detector.examine(case)
    finally:
        close(isolated)
