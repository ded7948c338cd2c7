"""All tasks, area by area."""

from .attention import TASKS as ATTENTION
from .elementwise import TASKS as ELEMENTWISE
from .linear import TASKS as LINEAR
from .losses import TASKS as LOSSES
from .sampling import TASKS as SAMPLING
from .task import Task

TASKS: tuple[Task, ...] = (*LINEAR, *LOSSES, *SAMPLING, *ATTENTION, *ELEMENTWISE)
