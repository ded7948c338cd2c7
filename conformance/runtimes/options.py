"""The options of a runtime, as a user writes them behind its name."""

from __future__ import annotations

from collections.abc import Mapping


def options_of(name: str, text: str, known: Mapping[str, str]) -> dict[str, str]:
    """Read the options of a runtime, ``key=value`` with commas between; those left out have their default."""
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            usage = ",".join(f"{key}={value or '...'}" for key, value in known.items()) or "none"
            message = f"expected options of {name} among {usage} (got {part!r}); write {name}:key=value"
            raise ValueError(message)
        given[key] = value
    return {**known, **given}


def threads_of(text: str) -> int:
    """Read a number of threads; 0 where it is left out."""
    if text and not (text.isdecimal() and int(text)):
        message = f"expected a number of threads of 1 or more (got {text!r}); leave it out for all"
        raise ValueError(message)
    return int(text or 0)
