"""All tasks, area by area."""

from .elementwise import TASKS as ELEMENTWISE
from .sampling import TASKS as SAMPLING
from .task import Task

TASKS: tuple[Task, ...] = (*SAMPLING, *ELEMENTWISE)
