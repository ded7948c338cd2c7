"""A cluster of Dask's, and the results of tasks on it in the order of the tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeAlias, TypeVar

from softops.export.errors import MissingPackageError

from ..errors import ClusterError

Cluster: TypeAlias = "str | Any"
"""``local``, the address of a scheduler, or a ``distributed.Client``."""

LOCAL = "local"

SAME = ("softops", "onnx")
"""What a verdict hangs on, and a report names: of one version everywhere."""

_CONNECTING_SECONDS = 10.0
_WORKER_SECONDS = 60.0

_ATTEMPTS = 3
"""So often a task is given to a cluster on which, each time, as many workers died with it as the scheduler allows."""

T = TypeVar("T")


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """
    Give a client of a cluster whose workers have our versions; ``local`` starts a worker for each processor here.

    MissingPackageError: there is no Dask; ClusterError: no scheduler, no worker, or one of other versions; TypeError:
    it is no cluster.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        message = "expected Dask's distributed (it is not installed); pip install 'softops[dask]'"
        raise MissingPackageError(message) from error
    if isinstance(cluster, Client) and not cluster.asynchronous:
        _check(cluster)
        yield cluster
    elif cluster == LOCAL:
        with (
            LocalCluster(threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL) as made,
            Client(made) as client,
        ):
            _check(client)
            yield client
    elif isinstance(cluster, str):
        with _client(cluster) as client:
            _check(client)
            yield client
    else:
        message = (
            "expected a cluster as 'local', the address of a scheduler, or a distributed.Client that is not "
            f"asynchronous (got {cluster!r}); pass for instance 'tcp://127.0.0.1:8786'"
        )
        raise TypeError(message)


def check_versions(wanted: dict[str, str]) -> None:
    """In a task: refuse a worker that joined later with another version."""
    for name, own in wanted.items():
        _compare(name, own, version(name), "a worker")


def versions() -> dict[str, str]:
    """Return the versions that the workers shall have."""
    return {name: version(name) for name in SAME}


def in_order(client: Any, function: Callable[..., T], tasks: Sequence[Any], **shared: Any) -> Generator[T]:
    """
    Yield ``function(task, **shared)`` of each task, in the order of the tasks, each once those before it are there.

    What was being computed where a worker died, Dask computes elsewhere. ClusterError: the scheduler has gone, or
    workers died of the same task again and again.
    """
    from distributed import KilledWorker, as_completed

    futures = client.map(function, tasks, pure=False, retries=0, **shared)
    places = {future.key: place for place, future in enumerate(futures)}
    running = dict(enumerate(futures))
    attempts = dict.fromkeys(running, 1)
    results: dict[int, T] = {}
    completed = as_completed(futures)
    due = 0
    try:
        for future in completed:
            place = places[future.key]
            error = future.exception() if future.status == "error" else None
            if isinstance(error, KilledWorker) and attempts[place] < _ATTEMPTS:
                attempts[place] += 1
                running[place] = client.submit(function, tasks[place], pure=False, **shared)
                places[running[place].key] = place
                completed.add(running[place])
                continue
            if isinstance(error, KilledWorker):
                message = f"expected workers that stay (got: {error}); look at their logs and their memory"
                raise ClusterError(message) from error
            if future.status not in ("finished", "error"):
                message = (
                    f"expected the scheduler to stay (got a task that is {future.status}); start it again"
                )
                raise ClusterError(message)
            results[place] = future.result()
            # The worker shall forget it: what is not asked for is not computed again should it die.
            running.pop(place).release()
            while due in results:
                yield results.pop(due)
                due += 1
    finally:
        if running:
            client.cancel([*running.values()])


def _client(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=_CONNECTING_SECONDS)
    except (OSError, ValueError) as error:
        message = (
            f"expected a scheduler of Dask at {address} (got: {error}); start one by `dask scheduler` and name its "
            "address, such as tcp://127.0.0.1:8786, or say local"
        )
        raise ClusterError(message) from error


def _check(client: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        message = (
            f"expected a worker (none came within {_WORKER_SECONDS:g} seconds); start some by `dask worker`"
        )
        raise ClusterError(message) from error
    wanted = versions()
    for address, told in client.get_versions(packages=list(SAME))["workers"].items():
        for name, own in wanted.items():
            _compare(name, own, told["packages"].get(name), f"the worker {address}")


def _compare(name: str, own: str, other: str | None, where: str) -> None:
    if own != other:
        message = (
            f"expected {name} {own} on every worker (got {other or 'none'} on {where}); install one version "
            "everywhere"
        )
        raise ClusterError(message)
