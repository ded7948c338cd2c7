"""The cases of a run spread over the workers of a Dask cluster, each with a runtime in a process of its own."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from ..cases.case import Case
from ..runtimes.child import Answer, Child, RuntimeDiedError, check_sendable
from ..runtimes.isolated import with_time_limit
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Runtime
from ..runtimes.sent import Sent, receive, send
from ..verdicts.record import CaseRecord
from ..verdicts.rules import Bound
from ..workers.cluster import Cluster, check_versions, connected, in_order, versions
from ..workers.kept import forget_everywhere, kept
from .examiner import Examiner
from .processes import RESCUE_SECONDS, parts_of
from .report import platform_here
from .smoke import SmokeDetector, first_of_each


class Sweep(NamedTuple):
    """What is the same for every task of a run."""

    job: str
    versions: dict[str, str]
    runtime: Sent
    bound: Bound
    time_limit: float | None
    rescue: float | None
    probes: Sequence[Case]


def examine_on_dask(
    runtime: str | Runtime,
    listed: Sequence[Case],
    bound: Bound,
    time_limit: float | None,
    cluster: Cluster,
    platforms: list[str],
) -> Generator[CaseRecord]:
    """
    Yield the record of each case, in the order of the cases, from tasks on a cluster; ``platforms`` gets the workers'.

    A worker that dies takes nothing along: Dask runs its tasks elsewhere. Nor does a runtime take its worker along: it
    has a process, and the case that ends it is run again with a time limit, alone, and told, as by several processes.

    Raises as `connected` and `in_order`; TypeError: an object cannot be sent; ModelNotRunError: a worker has not the
    runtime, or another version; RuntimeUnusableError: one of them found that it can run nothing.
    """
    with connected(cluster) as client:
        sweep = _sweep(runtime, listed, bound, time_limit)
        try:
            with closing(in_order(client, examine_part, parts_of(listed), sweep=sweep)) as results:
                for platform, records in results:
                    if platform not in platforms:
                        platforms.append(platform)
                    yield from records
        finally:
            forget_everywhere(client, sweep.job)


def examine_part(part: list[Case], sweep: Sweep) -> tuple[str, list[CaseRecord]]:
    """Return this worker's platform, and the records of some cases: a task."""
    check_versions(sweep.versions)
    with kept(sweep.job, partial(Child, sweep.runtime.name, answering, sweep)) as child:
        return platform_here(), [_examined(child, case, sweep) for case in part]


def answering(sweep: Sweep) -> Answer:
    """Return what examines one case after another, in the process of the runtime."""
    runtime = receive(sweep.runtime)
    chosen = get_runtime(runtime) if sweep.time_limit is None else with_time_limit(runtime, sweep.time_limit)
    return SmokeDetector(chosen, Examiner(chosen, sweep.bound), sweep.probes).examine


def _sweep(runtime: str | Runtime, listed: Sequence[Case], bound: Bound, time_limit: float | None) -> Sweep:
    sent = send(runtime)
    rescue: float | None = RESCUE_SECONDS
    if not isinstance(runtime, str):
        try:
            check_sendable(runtime, sent.name)
        except TypeError:  # it arrives by value, and goes no further than the first process
            if time_limit is not None:
                raise
            rescue = None
    return Sweep(
        job=uuid.uuid4().hex,
        versions=versions(),
        runtime=sent,
        bound=bound,
        time_limit=time_limit,
        rescue=rescue,
        probes=first_of_each(listed),
    )


def _examined(child: Child, case: Case, sweep: Sweep) -> CaseRecord:
    try:
        record: CaseRecord = child.ask(case)
    except RuntimeDiedError:
        return _rescued(case, sweep._replace(time_limit=sweep.rescue))
    return record


def _rescued(case: Case, sweep: Sweep) -> CaseRecord:
    """Run a case alone after which its process had ended, as it may have done by itself or by another's hand."""
    child = Child(sweep.runtime.name, answering, sweep)
    try:
        record: CaseRecord = child.ask(case)
    except RuntimeDiedError as error:
        message = (
            f"expected {sweep.runtime.name} to run the model (got {error}); look at its operators and opset"
        )
        return CaseRecord(case=case, outcome="crashed", message=message)
    finally:
        child.close()
    return record
