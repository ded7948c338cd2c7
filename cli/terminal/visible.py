"""Text that comes from a model, a file or another library, as a terminal may show it."""

import unicodedata

_READ_AS_COMMANDS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters, those that change the direction of text, halves of characters, and ends of lines."""


def visible(text: str) -> str:
    r"""Write what a terminal takes for a command as Python does: ``\x1b`` for an escape, ``\n`` for a line's end."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _READ_AS_COMMANDS:
        return character
    return character.encode("unicode_escape").decode("ascii")
