"""What the web pages have in common: where their templates are, and how they write numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..measure.numbers import DASH, digits, number, percent
from ..measure.ulp import NAN_DISTANCE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["DASH", "beside", "digits", "environment", "finite", "first_line", "number", "percent"]


@cache
def environment() -> Environment:
    """Return what renders the templates of this package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("softops.conformance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number,
        percent=percent,
        digits=digits,
        finite=finite,
        beside=beside,
        colour=_colour,
        breakable=_breakable,
    )
    return made


def first_line(title: str, headings: Sequence[str]) -> str:
    """Return the first line of a report in Markdown: its title, and what was run in which precision."""
    return " ".join(f"# {title}{': ' if headings else ''}{'; '.join(headings)}".split())


def finite(value: float | None) -> float | None:
    """Return a number, or None for one that is no distance: infinite or NaN."""
    return None if value is None or not math.isfinite(value) else value


def beside(mean: float | None, largest: int | None) -> float | None:
    """Return the mean of distances in ULP; None where the largest is that of NaN, which would make up all of it."""
    return None if largest == NAN_DISTANCE else mean


def _colour(verdict: str) -> str:
    """Return the class that a verdict is written in; none where it is neither right nor wrong."""
    return {"wrong": "wrong", "right": "right", "known": "right"}.get(verdict, "")


def _breakable(name: str) -> Markup:
    """Let an operator's name be broken where a word of it begins."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[a-z.])(?=[A-Z])", name))
