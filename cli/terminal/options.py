"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The .onnx file.", show_default=False)]

Inputs = Annotated[
    Path | None,
    typer.Option(metavar="FILE.npz", help="One array per model input, by name [default: generated]."),
]

Shape = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=1,3,96,96",
        help="The shape of an input to generate; repeat for more inputs.",
        show_default=False,
    ),
]

Report = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Also write the report: a .html, .json or .md file, or a folder for all three.",
        show_default=False,
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, for machines.")]

Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Spread it over the workers of a Dask cluster: the address of its scheduler, or local for a worker "
        "for each processor here.",
        show_default=False,
    ),
]
