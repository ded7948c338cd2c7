"""What the web pages have in common: where their templates are, and how they write numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..measure.ulp import NAN_DISTANCE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

DASH = "\N{EN DASH}"


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


def number(value: float | str | None) -> str:
    """Write a number in few digits, a dash for None."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    if value == NAN_DISTANCE:
        return "NaN against a number"
    if isinstance(value, int) and abs(value) < 10**6:
        return f"{value:,}"
    return f"{value:.4g}"


def digits(value: float | str | None) -> str:
    """Write a number in as many digits as tell two float32 apart."""
    return f"{value:.9g}" if isinstance(value, float) else number(value)


def percent(value: float | None) -> str:
    """Write a share in percent; 100 % only when it is all."""
    if value is None:
        return DASH
    # 0.99999 would be rounded up to all.
    share = min(100 * value, 99.99) if value < 1 else 100 * value
    return f"{share:.4g} %"


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
