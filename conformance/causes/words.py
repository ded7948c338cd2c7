"""In words, where failures were seen."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ..verdicts.record import CaseRecord

_MOST_AXES = 5


def operator_of(record: CaseRecord) -> str:
    """Return the name of the operator, with its domain where that is not ai.onnx."""
    return f"{record.domain}.{record.op}" if record.domain else record.op


def axis_of(record: CaseRecord) -> str:
    """Return the axis as the node says it."""
    return "default" if record.axis is None else str(record.axis)


def size_of(record: CaseRecord) -> tuple[object, ...]:
    """Return by what the simplest case is found: a plain one first, small, but not empty."""
    size = math.prod(record.shape)
    return record.form != "plain", record.setting != "", record.worst is None, size == 0, size, -record.opset


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Return what sorts numbers in texts by their size."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", text)
    ]


def listed(names: Iterable[str]) -> str:
    """Write names with commas and an ``and``."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def where(records: Iterable[CaseRecord]) -> str:
    """Say where failures were seen, such as ``Softmax-1, -11 in float32, axis 0 and 1``."""
    records = tuple(records)
    versions: dict[str, set[int]] = {}
    for record in records:
        versions.setdefault(operator_of(record), set()).add(record.opset)
    names = [f"{name}-{', -'.join(map(str, sorted(numbers)))}" for name, numbers in versions.items()]
    text = f"{'; '.join(names)} in {listed(sorted({r.dtype for r in records}, key=natural))}"
    axes = sorted({axis_of(record) for record in records} - {"default"}, key=lambda axis: int(axis))
    if axes:
        text += f", axis {listed(axes)}" if len(axes) <= _MOST_AXES else ", any axis"
    return text
