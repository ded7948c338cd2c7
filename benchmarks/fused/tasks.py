"""All tasks, area by area."""

from .sampling import TASKS as SAMPLING
from .task import Task

TASKS: tuple[Task, ...] = (*SAMPLING,)
