"""Run tasks: prepare every library, look at its result, time them in turns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from threadpoolctl import threadpool_limits

from ..busy import Watch
from ..peers.peer import Prepared
from ..peers.plain_copy import copies
from ..results import Row
from ..timing import Call, Method, fastest
from ..workloads import matches
from .task import Task, is_installed
from .tasks import TASKS


def select(patterns: Sequence[str]) -> list[Task]:
    """The tasks whose name holds one of the patterns."""
    return [task for task in TASKS if matches(task.name, patterns)]


def run_task(task: Task, threads: int, method: Method) -> Row:
    """Time one task."""
    calls: dict[str, Call] = {}
    seconds: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    kept: list[Prepared] = []  # sessions and arrays live as long as they are timed
    with threadpool_limits(threads, user_api="blas"):
        for library, prepare in task.libraries.items():
            if not is_installed(library):
                continue
            seconds[library] = None
            try:
                prepared = prepare(threads)
                prepared.call()
                wrong = task.wrong(prepared.result())
            except Exception as error:  # whatever a library raises must not stop the others
                wrong = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
            if wrong is not None:
                notes[library] = wrong
                continue
            kept.append(prepared)
            calls[library] = prepared.call
        copying = copies(task.x(), threads)
        watch = Watch()
        times = fastest(calls | copying, replace(method, rest_seconds=task.rests * method.rest_seconds))
        others = watch.others()
    seconds |= {name: times[name] for name in calls}
    copy_seconds = min(times[name] for name in copying)
    return Row(task.name, threads, seconds, copy_seconds, notes=notes, others=others)


def run_tasks(tasks: Sequence[Task], threads: Sequence[int], method: Method) -> Iterator[Row]:
    """Time all tasks at every number of threads."""
    for count in threads:
        for task in tasks:
            yield run_task(task, count, method)
