"""How much memory this process has had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak() -> int:
    """How many bytes of memory this process has had at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands the peak of the process that started it on to getrusage.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
