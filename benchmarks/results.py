"""What a run found, and how it is kept."""

import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from .busy import MOST_OTHERS, too_much

OURS = "softops"
MARK = "\N{DAGGER}"


@dataclass(frozen=True)
class Row:
    """One workload at one number of threads; seconds a call, None where a library has no such operator.

    `others`: the share of the processors' time that other processes took meanwhile, where it is known.
    """

    workload: str
    threads: int
    seconds: dict[str, float | None]
    copy_seconds: float
    copy_share: float | None = None
    notes: dict[str, str] = field(default_factory=dict)
    others: float | None = None

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

    @property
    def busy(self) -> bool:
        """Whether others took so much of the processors' time that the row is marked."""
        return too_much(self.others)


@dataclass(frozen=True)
class Figure:
    """One number that is not a row: the cost of a call, of a first call, of an import; in seconds.

    `others`: as in a row.
    """

    name: str
    seconds: float
    target: float | None = None
    others: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it lies above its target."""
        return self.target is not None and self.seconds > self.target

    @property
    def busy(self) -> bool:
        """As of a row."""
        return too_much(self.others)


@dataclass(frozen=True)
class Results:
    """Everything a run found."""

    date: str
    command: str
    cpu: str
    instruction_set: str  # that our kernels were compiled for
    processor_set: str  # the widest that the processor has
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
        known = [row for row in self.rows if row.others is not None]
        busy = sum(row.busy for row in known)
        if busy:
            return (
                f"The machine was busy: while {busy} of {len(self.rows)} rows were timed, other processes took more "
                f"than {MOST_OTHERS:.0%} of the processors' time; they are marked {MARK}."
            )
        if known or self.load < self.cores / 4:
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
        """JSON with the derived numbers in every row; a row or a figure a line."""
        content = asdict(self)
        for row, entry in zip(self.rows, content["rows"], strict=True):
            ratio = None if row.ratio is None else round(row.ratio, 4)
            entry |= {"best_peer": row.best_peer, "ratio": ratio, "busy": row.busy}
        content["summary"] = {str(t): summary(self.rows, t) for t in self.threads}
        lines = [f" {json.dumps(name)}: {_json(value)}" for name, value in content.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote; ValueError for anything else."""
        try:
            content = _known(cls, json.loads(text))
            rows = tuple(Row(**_known(Row, entry)) for entry in content["rows"])
            figures = tuple(Figure(**_known(Figure, entry)) for entry in content["figures"])
            lists = {name: tuple(content[name]) for name in ("threads", "absent")}
            return cls(**content | lists | {"rows": rows, "figures": figures})
        except (KeyError, TypeError, AttributeError) as error:
            message = f"expected what `python -m benchmarks --json` writes today ({error})"
            raise ValueError(message) from error


def _json(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {_json(entry)}" for entry in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def _known(kind: Any, content: dict[str, Any]) -> dict[str, Any]:
    """What the fields of a class are made of, without the numbers that are derived."""
    return {one.name: content[one.name] for one in fields(kind)}


def geometric_mean(ratios: Sequence[float]) -> float | None:
    """exp(mean(log)); None of nothing."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else None


def summary(rows: Sequence[Row], threads: int) -> dict[str, Any]:
    """The geometric mean of the ratios at one number of threads, how many rows it is of, and which are lost."""
    chosen = [row for row in rows if row.threads == threads]
    ratios = [row.ratio for row in chosen if row.ratio is not None]
    lost = [row.workload for row in chosen if row.lost]
    return {"geometric_mean": geometric_mean(ratios), "compared": len(ratios), "lost": lost}


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
