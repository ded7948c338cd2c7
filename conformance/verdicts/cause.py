"""What a report says of failures that belong together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cause:
    """
    Failures that belong together, and what they look as if.

    Attributes
    ----------
    name
        Of the hypothesis that explains them; empty where none does.
    outcome
        Of the cases, a name of `softops.conformance.verdicts.record.OUTCOMES`.
    sentence
        What it looks as if, or what is wrong where no cause was recognised; for a list of one line each.
    where
        Operators with their versions, dtypes and axes in words.
    evidence
        How many cases it explains and what speaks against it, in a sentence; empty without a hypothesis.
    operators, opsets, dtypes, axes, families
        Where it was seen; an axis is ``default`` where the node names none.
    cases, known
        How many cases it is about, and how many of these are listed as known.
    failing
        How many cases of these operators, opsets and dtypes have that outcome.
    tested
        How many right cases would have come out otherwise, had it held for them too; none of which did.
    example
        Name of the smallest case.
    """

    name: str
    outcome: str
    sentence: str
    where: str
    evidence: str = ""
    operators: tuple[str, ...]
    opsets: tuple[int, ...]
    dtypes: tuple[str, ...]
    axes: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    cases: int
    known: int = 0
    failing: int = 0
    tested: int = 0
    example: str = ""

    @property
    def new(self) -> int:
        """How many of its cases are not listed as known."""
        return self.cases - self.known

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, tuples as lists."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Cause:
        """Return what `to_dict` wrote."""
        named: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**named)
