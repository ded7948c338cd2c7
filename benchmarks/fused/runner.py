"""Run tasks: prepare every library, look at its result, time them in turns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..peers.peer import Prepared
from ..results import Row
from ..runner import first_line, timed
from ..timing import Method
from ..workloads import matches
from .task import Prepare, Task, is_installed
from .tasks import TASKS


def select(patterns: Sequence[str]) -> list[Task]:
    """The tasks whose name holds one of the patterns."""
    return [task for task in TASKS if matches(task.name, patterns)]


def _prepare(task: Task, prepare: Prepare, threads: int) -> Prepared | str:
    """A library ready to be timed, or what kept it from computing this."""
    try:
        prepared = prepare(threads)
        prepared.call()
        wrong = task.wrong(prepared.result())
    except Exception as error:  # whatever a library raises must not stop the others
        return first_line(error)
    return wrong or prepared


def run_task(task: Task, threads: int, method: Method) -> Row:
    """Time one task."""
    there = ((name, prepare) for name, prepare in task.libraries.items() if is_installed(name))
    prepared = ((name, _prepare(task, prepare, threads)) for name, prepare in there)
    method = replace(method, rest_seconds=task.rests * method.rest_seconds)
    return timed(task.name, prepared, task.x(), threads, method)


def run_tasks(tasks: Sequence[Task], threads: Sequence[int], method: Method) -> Iterator[Row]:
    """Time all tasks at every number of threads."""
    for count in threads:
        for task in tasks:
            yield run_task(task, count, method)
