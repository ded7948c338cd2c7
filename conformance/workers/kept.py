"""What a task leaves on its worker for the next task of the same job: a process, or models that are loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

_idle: dict[str, list[Any]] = {}
_over: set[str] = set()
_lock = threading.Lock()


@contextmanager
def kept(job: str, make: Callable[[], T]) -> Iterator[T]:
    """
    Give what an earlier task of the job left, or make it; nobody else has it meanwhile.

    What was left of other jobs is closed, and so is this one if the task fails.
    """
    with _lock:
        others = [thing for key in list(_idle) if key != job for thing in _idle.pop(key)]
        left = _idle.get(job, [])
        found: T | None = left.pop() if left else None
    _close(others)
    thing = make() if found is None else found
    try:
        yield thing
    except BaseException:
        _close([thing])
        raise
    with _lock:
        if job not in _over:
            _idle.setdefault(job, []).append(thing)
            return
    _close([thing])


def forget(job: str) -> None:
    """Close what tasks of a job left here, now and after those that still run."""
    with _lock:
        _over.add(job)
        left = _idle.pop(job, [])
    _close(left)


def forget_everywhere(client: Any, job: str) -> None:
    """Have every worker of a client forget a job."""
    with suppress(Exception):  # a cluster that has gone has nothing left
        client.run(forget, job, on_error="ignore")


def _close(things: list[Any]) -> None:
    for thing in things:
        ended = getattr(thing, "close", None)
        if ended is not None:
            ended()
