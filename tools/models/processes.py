"""A step on a model in a process of its own; one that takes too long or too much is stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .steps import Told

_PAUSE = 0.05

_HANGS = 10
"""A step is stopped after so many times its seconds, too, whatever it does with them."""


class Limits(NamedTuple):
    """A step is stopped beyond these: seconds of processors, as far as they are known, and memory."""

    seconds: float = 60
    gibibytes: float = 2


def taken_apart(step: str, path: Path, limits: Limits) -> Told:
    """Take a step in a process of its own."""
    start, spent, most = time.monotonic(), 0.0, 0
    command = [sys.executable, "-m", "tools.models.steps", step, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        why = ""
        while process.poll() is None and not why:
            spent, most = max(spent, _spent(process.pid)), max(most, _resident(process.pid))
            if spent > limits.seconds or time.monotonic() - start > _HANGS * limits.seconds:
                why = f"stopped after {limits.seconds:g} s"
            elif most > limits.gibibytes * 2**30:
                why = f"stopped beyond {limits.gibibytes:g} GiB"
            time.sleep(_PAUSE)
        if why:
            process.kill()
        out, err = process.communicate()
    try:
        return Told(**json.loads(out.splitlines()[-1]))
    except (IndexError, ValueError):
        last = (err.strip().splitlines() or [""])[-1]
        return Told(why or "crashed", said=[] if why else [last], seconds=spent, bytes=most)


def _spent(pid: int) -> float:
    """How many seconds of processors a process has had; 0 where that cannot be asked."""
    try:
        # Behind the name, which may have blanks: the 12th and 13th are those of the process and of the system for it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    """How many bytes a process has in memory; 0 where that cannot be asked."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
