"""Names of a model in a picture: written as they are, whatever its fonts lack."""

from __future__ import annotations

from functools import cache

_FONTS = (
    *(
        "DejaVu Sans",
        "Noto Sans",
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Source Han Sans SC",
        "WenQuanYi Zen Hei",
    ),
    *(
        "WenQuanYi Micro Hei",
        "Microsoft YaHei",
        "SimHei",
        "PingFang SC",
        "Hiragino Sans GB",
        "Arial Unicode MS",
    ),
)
"""Looked for in this order, character by character; the first comes with matplotlib."""

_LONGEST = 80


def fonts() -> list[str]:
    """Return the names of the fonts that labels are drawn with, those that are installed."""
    return list(_characters())


def label(text: str) -> str:
    r"""
    Return a text as it can be drawn: ``\u540d`` for what no font has, the middle of a very long one left out.

    Dollar signs stay what they are, which is for whoever draws to see to (``set_parse_math(False)``).
    """
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} … {text[-half:]}"
    known = frozenset().union(*_characters().values())
    return "".join(c if ord(c) in known else c.encode("unicode_escape").decode("ascii") for c in text)


@cache
def _characters() -> dict[str, frozenset[int]]:
    """The characters that each installed font has."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    installed = {entry.name for entry in fontManager.ttflist}
    return {
        name: frozenset(get_font(findfont(FontProperties(family=name))).get_charmap())
        for name in _FONTS
        if name in installed
    }
