"""How much of the processors' time others took while something was timed."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

MOST_OTHERS = 0.1
"""What was timed while others took a larger share is marked."""
LEAST_TICKS = 50
"""In less time than this the system's count, in ticks of a hundredth of a second, is too coarse to tell."""


@dataclass(frozen=True)
class Reading:
    """Ticks since the start of the machine, of all processors that this process may use together."""

    total: float  # idle or not
    busy: float  # somebody ran, or the host of a virtual machine had the processor
    own: float  # this process, its threads and the ended processes that it started


def reading(stat: str, cpus: Collection[int], own: float) -> Reading | None:
    """A reading from the text of /proc/stat; None where it does not name the processors."""
    lines = [line.split() for line in stat.splitlines()]
    wanted = {f"cpu{number}" for number in cpus}
    # user, nice, system, idle, waiting for a disk, interrupts twice, stolen; guests are counted in user
    counts = [[float(count) for count in line[1:9]] for line in lines if line and line[0] in wanted]
    if not counts or len(counts) < len(wanted):
        return None
    total = sum(map(sum, counts))
    return Reading(total, total - sum(sum(count[3:5]) for count in counts), own)


def read() -> Reading | None:
    """A reading of this moment; None where the system has no /proc/stat."""
    try:
        stat, cpus = Path("/proc/stat").read_text(encoding="ascii"), os.sched_getaffinity(0)
        return reading(stat, cpus, sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError):  # another system
        return None


def too_much(others: float | None) -> bool:
    """Whether others took so much that what was timed is marked; not where it is unknown."""
    return others is not None and others > MOST_OTHERS


class Watch:
    """Looks at the processors when it is made and when it is asked; in between it does nothing."""

    def __init__(self, read: Callable[[], Reading | None] = read) -> None:
        self._read = read
        self._begin = read()

    def others(self) -> float | None:
        """The share of the processors' time that others took since; None where that is not known."""
        begin, end = self._begin, self._read()
        if begin is None or end is None or end.total - begin.total < LEAST_TICKS:
            return None
        others = end.busy - begin.busy - (end.own - begin.own)
        return round(max(0.0, others / (end.total - begin.total)), 3)
