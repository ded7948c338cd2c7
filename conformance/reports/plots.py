"""
Pictures of a page: bars and lines as SVG, whose text keeps its size whatever the width (``templates/plots.html``).

Across, all is in percent of the width, so that nothing but the lines is stretched; up and down, in pixels. A page that
has one puts ``style()`` of the template into its block ``style``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .page import environment

if TYPE_CHECKING:
    from markupsafe import Markup

LEFT, RIGHT = 9.0, 97.0
"""Where the plot begins and ends, in percent: before it stand the numbers of its axis, behind it half of a label."""
TOP, HEIGHT = 10.0, 180.0
"""Pixels above the plot, and of it."""

_NARROW, _WIDE = 270, 620
"""Pixels that a plot is across on a phone, and on a desk."""
_CHARACTER, _GAP = 6.6, 12
"""Pixels of a character of a label, and between two labels."""
_LEAST = 1.5
"""Pixels of the bar of a share that is not 0, however small."""


class Label(NamedTuple):
    """A text under the plot: where its middle is, in percent, and whether a phone has room for it."""

    x: float
    text: str
    narrow: bool


class Bar(NamedTuple):
    """A bar: left and width in percent, top and height in pixels, the number of its series, and what it says."""

    x: float
    width: float
    y: float
    height: float
    series: int
    text: str


@dataclass(frozen=True)
class Axis:
    """The axis upwards: from 0 to the largest value, with round numbers beside it."""

    top: float

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where the round numbers stand, in pixels, and the numbers."""
        return [(self.y(value), f"{value:.12g}") for value in round_numbers(self.top)]

    def y(self, value: float) -> float:
        """Where a value stands, in pixels."""
        return TOP + HEIGHT * (1 - value / self.top)


def round_numbers(top: float, most: int = 5) -> list[float]:
    """Return at most so many steps of 1, 2 or 5 times a power of ten, from 0 up to ``top``."""
    power = 10.0 ** math.floor(math.log10(top / most))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if top / step <= most)
    return [step * place for place in range(math.floor(top / step * (1 + 1e-9)) + 1)]


def bars(
    caption: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], below: str
) -> Markup:
    """
    Draw some series of shares in percent side by side, a group of bars for each of ``names``.

    A share that is not 0 can always be seen. Of labels that would overlap some are left out, but never the last.
    """
    axis = Axis(max((share for _, shares in series for share in shares), default=0) or 1.0)
    group = (RIGHT - LEFT) / max(len(names), 1)
    wide = 0.84 * group / max(len(series), 1)
    drawn = []
    for number, (_, shares) in enumerate(series):
        for place, share in enumerate(shares):
            height = max(HEIGHT * share / axis.top, _LEAST) if share else 0.0
            x = LEFT + group * (place + 0.08) + wide * number
            text = f"{names[place]}: {share:.3g} %"
            drawn.append(Bar(x, 0.94 * wide, TOP + HEIGHT - height, height, number, text))
    legend = [name for name, _ in series]
    return _drawn(
        "bars", caption=caption, axis=axis, bars=drawn, legend=legend, labels=_labels(names), below=below
    )


def line(
    caption: str, values: Sequence[float], ends: tuple[str, str], marks: Sequence[tuple[int, str]] = ()
) -> Markup:
    """Draw two values or more, none of them negative, from left to right, with marks and words on some of them."""
    axis = Axis(max(values) or 1.0)
    places = [
        (100 * place / (len(values) - 1), 100 * (axis.y(value) - TOP) / HEIGHT)
        for place, value in enumerate(values)
    ]
    marked = [
        (LEFT + (RIGHT - LEFT) * places[place][0] / 100, axis.y(values[place]), text) for place, text in marks
    ]
    return _drawn("line", caption=caption, axis=axis, points=places, marks=marked, ends=ends)


def _drawn(kind: str, **values: object) -> Markup:
    module = (
        environment()
        .get_template("plots.html")
        .make_module({"LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP, "HEIGHT": HEIGHT})
    )
    picture: Markup = getattr(module, kind)(**values)
    return picture


def _labels(names: Sequence[str]) -> list[Label]:
    """Return the labels that fit on a desk; the narrow ones among them fit on a phone."""
    group = (RIGHT - LEFT) / max(len(names), 1)
    wide, narrow = (_shown(names, pixels) for pixels in (_WIDE, _NARROW))
    return [Label(LEFT + group * (place + 0.5), names[place], place in narrow) for place in sorted(wide)]


def _shown(names: Sequence[str], pixels: float) -> set[int]:
    """The places of the labels that have room: every one, or every second, fourth, eighth, and the last."""
    room = pixels / max(len(names), 1)
    longest = _CHARACTER * max(map(len, names), default=0) + _GAP
    step = 1
    while step * room < longest and step < len(names):
        step *= 2
    last = len(names) - 1
    return {place for place in range(0, len(names), step) if last - place >= step} | {last}
