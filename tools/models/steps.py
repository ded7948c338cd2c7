"""``python -m tools.models.steps STEP MODEL``: one step on one model in this process, told as a line of JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..memory import peak
from .conversions import Converted, converted_down, converted_up


@dataclass
class Told:
    """
    What a step came to: in a word, in the words of a table, and what more is to be said.

    ``known`` has the reasons of known deviations that were met; ``seconds`` are those of processors, of all threads,
    since Python was started, without what only this tool asks; ``bytes`` is the most memory until then; ``waited`` the
    seconds until a bar was told of something, None where there is none.
    """

    verdict: str
    cell: str = ""
    said: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    seconds: float = 0.0
    bytes: int = 0
    waited: float | None = None


class Clock:
    """When a bar was first told of something, and what it all took."""

    first: float | None = None

    def watch(self, *_: object) -> None:
        """Be told of progress."""
        if self.first is None:
            self.first = time.process_time()

    def stop(self, told: Told) -> Told:
        """Say what it took until now."""
        told.seconds, told.bytes, told.waited = time.process_time(), peak(), self.first
        return told


def inspect(path: Path, clock: Clock) -> Told:
    """As `softops inspect`."""
    from softops.opset import lint

    report = lint(path)
    warned = Counter(warning.code for warning in report.warnings)
    listed = "".join(f", {count} {code}" for code, count in warned.most_common())
    cell = f"{len(report.nodes)} of the family{listed}"
    return clock.stop(Told("read", cell, [f"{warning.message}" for warning in report.warnings]))


def validate(path: Path, clock: Clock, runtime: str) -> Told:
    """As `softops validate`, on inputs of the model's own where there are such."""
    from softops.conformance import compare_runtimes

    from .inputs import inputs_of

    found = compare_runtimes(path, [runtime], inputs_of(path), progress=clock.watch)
    if not found.reports:
        return clock.stop(Told("not run", said=[*found.not_run.values()]))
    report = found.reports[0]
    notes = report.notes if report.verdict == "wrong" else []
    return clock.stop(
        Told(
            report.verdict,
            said=[*report.failures, *notes, *report.unsettled, *report.caveats],
            known=[text.partition(": ")[2] for text in report.known],
        )
    )


def convert(path: Path, clock: Clock, conversion: Callable[[Path, Path], Converted]) -> Told:
    """As `softops convert`; then the result is run beside what was converted."""
    with tempfile.TemporaryDirectory() as folder:
        found = conversion(path, Path(folder))
        told = clock.stop(Told("as it was", said=list(found.refusals)))
        if found.result is None:
            return told
        from .sameness import sameness

        same, difference = sameness(path, found.result)
        told.verdict, told.cell = same, f"{found.source} → {found.target}"
        told.said[:0] = [difference] if difference else []
    return told


def take_noise(path: Path, clock: Clock) -> Told:
    """As `softops noise`: the digits of the output with fewest, and what rounding may change."""
    from softops.conformance import noise

    from .inputs import inputs_of

    found = noise(path, inputs_of(path), watch=clock.watch)
    floats = [tensor for tensor in found.outputs.values() if tensor.is_float]
    worst = min(floats, key=lambda tensor: tensor.digits, default=None)
    said = [f"{worst.digits:.1f} digits, largest {worst.largest:.1g}"] if worst else []
    open_labels = sum(tensor.labels.undecided for tensor in floats if tensor.labels)
    decisions = sum(int(t.undecided.sum()) for t in found.outputs.values() if t.undecided is not None)
    said += [f"undecided rows: {open_labels}"] if open_labels else []
    said += [f"undecided integers: {decisions}"] if decisions else []
    # How many rows were made up is of no account here.
    notes = [note for note in found.notes if not note.startswith("a batch of ")]
    return clock.stop(Told("measured", "; ".join(said), notes))


STEPS: dict[str, Callable[[Path, Clock], Told]] = {
    "inspect": inspect,
    "onnxruntime": lambda path, clock: validate(path, clock, "onnxruntime"),
    "openvino": lambda path, clock: validate(path, clock, "openvino:precision=f32"),
    "noise": take_noise,
    "down": lambda path, clock: convert(path, clock, converted_down),
    "up": lambda path, clock: convert(path, clock, converted_up),
}


def taken(step: str, path: Path) -> Told:
    """Take a step; an error that is documented is a model that was not run."""
    clock = Clock()
    try:
        return STEPS[step](path, clock)
    except (ValueError, TypeError, LookupError, OSError, ImportError) as error:
        return clock.stop(Told("not run", said=[str(error)]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(asdict(taken(sys.argv[1], Path(sys.argv[2])))))
