"""Which cases are chosen, by whose bounds they are judged, and where the report goes: options of several commands."""

from pathlib import Path
from typing import Annotated

import typer

from ..terminal import words

_LIST = "LIST"
Ops = Annotated[str | None, typer.Option(metavar=_LIST, help="Operators, with commas [default: all].")]
Opsets = Annotated[
    str | None,
    typer.Option(metavar=_LIST, help="Opsets, with commas [default: each that changed something]."),
]
Dtypes = Annotated[str | None, typer.Option(metavar=_LIST, help="Dtypes, with commas [default: all].")]
Families = Annotated[
    str | None, typer.Option(metavar=_LIST, help="Families of inputs, with commas [default: all].")
]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer cases, done in seconds.")]
Full = Annotated[bool, typer.Option("--full", help="Many more cases, for a run overnight.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="The seed of the inputs.")]
Bound = Annotated[
    words.Bound, typer.Option(help="The bounds to judge by; exact are those that softops keeps.")
]
Report = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the report there, in every format.", show_default=False),
]


def parts(text: str | None) -> list[str] | None:
    """Read a list of names with commas between."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str | None) -> list[int] | None:
    """Read a list of opsets with commas between; ValueError where one is no number."""
    found = parts(text)
    if found is None:
        return None
    for part in found:
        if not part.isdecimal():
            message = f"expected opsets as numbers (got {part!r}); write for instance --opsets 12,13"
            raise ValueError(message)
    return [int(part) for part in found]
