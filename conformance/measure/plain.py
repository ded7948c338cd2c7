"""What was found in what JSON knows."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any


def plain(value: Any) -> Any:
    """Return a value in what JSON knows: NaN and infinities as strings."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without those left out of its `repr`: its long arrays."""
    return {entry.name: getattr(record, entry.name) for entry in dataclasses.fields(record) if entry.repr}


def as_json(value: Any, indent: int = 2) -> str:
    """Write a value that `plain` gave."""
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
