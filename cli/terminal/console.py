"""The console every command prints to: no text of a model reaches the terminal as a command or as markup."""

from collections.abc import Iterable
from typing import Any

import rich.console
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from .visible import visible


class Console(rich.console.Console):
    """A console of rich whose text, whoever wrote it, has no control characters but ends of lines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and make visible what came past `shown` and `cell`."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control is not None or text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(visible, text.split("\n"))), style)


def shown(text: object) -> str:
    """Return a name, a message or a path to be put among markup: brackets are brackets, and it stays on its line."""
    return escape(visible(str(text)))


def cell(text: object, style: str = "") -> Text:
    """Return a name, a message or a path as it stands by itself, in a table say."""
    return Text(visible(str(text)), style)
