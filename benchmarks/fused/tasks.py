"""All tasks, area by area."""

from .attention import TASKS as ATTENTION
from .cross_entropy import TASKS as CROSS_ENTROPY
from .elementwise import TASKS as ELEMENTWISE
from .linear import TASKS as LINEAR
from .sampling import TASKS as SAMPLING
from .task import Task

TASKS: tuple[Task, ...] = (*LINEAR, *CROSS_ENTROPY, *SAMPLING, *ATTENTION, *ELEMENTWISE)
