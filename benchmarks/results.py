"""What a run found, and how it is kept."""

import json
import math
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OURS = "softops"


@dataclass(frozen=True)
class Row:
    """One workload at one number of threads; seconds a call, None where a library has no such operator."""

    workload: str
    threads: int
    seconds: dict[str, float | None]
    copy_seconds: float
    copy_share: float | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> float | None:
        """Seconds that our kernel takes; None where it does not take the dtype."""
        return self.seconds.get(OURS)

    @property
    def best_peer(self) -> str | None:
        """The fastest of the others."""
        peers = {name: t for name, t in self.seconds.items() if name != OURS and t is not None}
        return min(peers, key=lambda name: peers[name]) if peers else None

    @property
    def ratio(self) -> float | None:
        """The time of the best peer over ours: above one we are faster."""
        best = self.seconds[self.best_peer] if self.best_peer else None
        return best / self.ours if best and self.ours else None

    @property
    def lost(self) -> bool:
        """Whether a peer is faster."""
        return self.ratio is not None and self.ratio < 1


@dataclass(frozen=True)
class Figure:
    """One number that is not a row: the cost of a call, of a first call, of an import; in seconds."""

    name: str
    seconds: float
    target: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it lies above its target."""
        return self.target is not None and self.seconds > self.target


@dataclass(frozen=True)
class Results:
    """Everything a run found."""

    date: str
    command: str
    cpu: str
    cores: int
    load: float  # how many processes ran or wanted to when the run began
    rounds: int
    threads: tuple[int, ...]
    versions: dict[str, str]
    absent: tuple[str, ...]
    rows: tuple[Row, ...]
    figures: tuple[Figure, ...] = ()

    @property
    def busy(self) -> str | None:
        """A warning where other work was running: a library whose threads wait for each other suffers most."""
        if self.load < self.cores / 4:
            return None
        return (
            f"The machine was busy when the run began (load {self.load:.1f} on {self.cores} cores): "
            "times at several threads may be many times too long."
        )

    @property
    def peers(self) -> list[str]:
        """The names of the others that were timed, in their order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.seconds if name != OURS))

    def to_json(self) -> str:
        """JSON with the derived numbers in every row."""
        content = asdict(self)
        for row, entry in zip(self.rows, content["rows"], strict=True):
            entry |= {"best_peer": row.best_peer, "ratio": row.ratio}
        content["summary"] = {str(t): summary(self.rows, t) for t in self.threads}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def geometric_mean(ratios: Sequence[float]) -> float | None:
    """exp(mean(log)); None of nothing."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else None


def summary(rows: Sequence[Row], threads: int) -> dict[str, Any]:
    """The geometric mean of the ratios at one number of threads, how many rows it is of, and which are lost."""
    chosen = [row for row in rows if row.threads == threads]
    ratios = [row.ratio for row in chosen if row.ratio is not None]
    lost = [row.workload for row in chosen if row.lost]
    return {"geometric_mean": geometric_mean(ratios), "compared": len(ratios), "lost": lost}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_atomically(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        Path(name).chmod(0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
