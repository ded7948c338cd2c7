"""A progress bar on stderr where that is a terminal, and nothing elsewhere."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """Called with how much is done, and of how much; a text stands before the bar."""

    _bar: "Progress | None" = None

    def __enter__(self) -> "Bar":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from .console import Console

        console = Console(stderr=True)
        if (
            console.is_terminal
        ):  # a bar that is disabled writes the end of its line all the same, up to rich 13.9
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            # Of what nothing is known yet it moves to and fro: reading a large model may take a while.
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, text: str = "") -> None:
        if self._bar is not None:
            from .console import shown

            self._bar.update(self._task, completed=done, total=total, description=shown(text))
