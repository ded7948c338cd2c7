"""All tasks, area by area."""

from .elementwise import TASKS as ELEMENTWISE
from .losses import TASKS as LOSSES
from .sampling import TASKS as SAMPLING
from .task import Task

TASKS: tuple[Task, ...] = (*LOSSES, *SAMPLING, *ELEMENTWISE)
