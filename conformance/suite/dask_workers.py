"""The cases of a run spread over the workers of a Dask cluster, each with a runtime in a process of its own."""

from __future__ import annotations

import pickle
import socket
import uuid
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from ..cases.case import Case
from ..errors import ModelNotRunError
from ..runtimes.child import Answer, Child, RuntimeDiedError, check_sendable
from ..runtimes.isolated import with_time_limit
from ..runtimes.names import get_runtime
from ..runtimes.protocol import Runtime, name_of, version_of
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
    runtime: str | bytes  # a name, or what cloudpickle makes of an object
    name: str
    runtime_version: str
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
    with kept(sweep.job, partial(Child, sweep.name, answering, sweep)) as child:
        return platform_here(), [_examined(child, case, sweep) for case in part]


def answering(sweep: Sweep) -> Answer:
    """Return what examines one case after another, in the process of the runtime."""
    try:
        runtime = sweep.runtime if isinstance(sweep.runtime, str) else pickle.loads(sweep.runtime)
        chosen = get_runtime(runtime)
    except Exception as error:  # a module that is missing here, whatever is imported with it
        message = (
            f"expected {sweep.name} on every worker (got {type(error).__name__}: {error}, on {socket.gethostname()}); "
            "install it there"
        )
        raise ModelNotRunError(message) from error
    if version_of(chosen) != sweep.runtime_version:
        message = (
            f"expected {sweep.name} {sweep.runtime_version} on every worker (got {version_of(chosen)} on "
            f"{socket.gethostname()}); install one version everywhere"
        )
        raise ModelNotRunError(message)
    if sweep.time_limit is not None:
        chosen = with_time_limit(runtime, sweep.time_limit)
    return SmokeDetector(chosen, Examiner(chosen, sweep.bound), sweep.probes).examine


def _sweep(runtime: str | Runtime, listed: Sequence[Case], bound: Bound, time_limit: float | None) -> Sweep:
    chosen = get_runtime(runtime)
    name = name_of(chosen)
    rescue: float | None = RESCUE_SECONDS
    sent: str | bytes
    if isinstance(runtime, str):
        sent = runtime
    else:
        sent = _pickled(runtime, name)
        try:
            check_sendable(runtime, name)
        except TypeError:  # it arrives by value, and goes no further than the first process
            if time_limit is not None:
                raise
            rescue = None
    return Sweep(
        job=uuid.uuid4().hex,
        versions=versions(),
        runtime=sent,
        name=name,
        runtime_version=version_of(chosen),
        bound=bound,
        time_limit=time_limit,
        rescue=rescue,
        probes=first_of_each(listed),
    )


def _pickled(runtime: Runtime, name: str) -> bytes:
    import cloudpickle

    try:
        sent: bytes = cloudpickle.dumps(runtime)
    except Exception as error:  # whatever its __reduce__ raises
        message = (
            f"expected a runtime that can be sent to a worker (got {name}: {error}); let it make what cannot be "
            "pickled when it loads a model, or name it by an entry point in the group softops.runtimes"
        )
        raise TypeError(message) from error
    return sent


def _examined(child: Child, case: Case, sweep: Sweep) -> CaseRecord:
    try:
        record: CaseRecord = child.ask(case)
    except RuntimeDiedError:
        return _rescued(case, sweep._replace(time_limit=sweep.rescue))
    return record


def _rescued(case: Case, sweep: Sweep) -> CaseRecord:
    """Run a case alone after which its process had ended, as it may have done by itself or by another's hand."""
    child = Child(sweep.name, answering, sweep)
    try:
        record: CaseRecord = child.ask(case)
    except RuntimeDiedError as error:
        message = f"expected {sweep.name} to run the model (got {error}); look at its operators and opset"
        return CaseRecord(case=case, outcome="crashed", message=message)
    finally:
        child.close()
    return record
