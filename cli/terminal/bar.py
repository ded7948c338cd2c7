"""A progress bar on stderr where that is a terminal, and nothing elsewhere."""


class Bar:
    """Called with how much is done, and of how much; a text stands before the bar."""

    def __enter__(self) -> "Bar":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from .console import Console

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int, text: str = "") -> None:
        from .console import shown

        self._bar.update(self._task, completed=done, total=total, description=shown(text))
