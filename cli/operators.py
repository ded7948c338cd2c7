"""The command `softops operators`: the table of operators, for people and for machines."""

import difflib
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from softops.opset import Operator, operators
from softops.opset.operators.signature import INTEGERS
from softops.opset.operators.table import notes_of
from softops.opset.runtimes.kernels import onnxruntime_dtypes

from .terminal.console import Console

SHORT = {"float": "f", "bfloat": "bf", "uint": "u", "int": "i", "string": "str"}
UNKNOWN = "?"
NARROWEST = 80
GAP = 2  # columns of the terminal between two of the table


def print_operators(names: Sequence[str], *, as_json: bool) -> None:
    """
    Print the rows of the operators of these names, or of all.

    Raises
    ------
    LookupError
        The table has no operator of a name.
    """
    rows = _named(names)
    if as_json:
        json.dump([_record(row) for row in rows], sys.stdout, indent=2)
        print()
        return
    console = Console()
    # Columns that do not fit would be cut: a narrower terminal folds the lines itself.
    console.width = max(console.width, NARROWEST)
    for domain in dict.fromkeys(row.domain for row in rows):
        console.print(_table(domain or "ai.onnx", [row for row in rows if row.domain == domain]), "")
    console.print("f = float, bf = bfloat, i = int, u = uint, ints = all eight of them.", soft_wrap=True)
    console.print(
        "onnxruntime: what its CPU has kernels for; others it casts, computes by the function body, or refuses.",
        soft_wrap=True,
    )
    if names:
        _print_notes(console, rows)


def _named(names: Sequence[str]) -> tuple[Operator, ...]:
    every = operators()
    known = {row.op_type.lower(): row.op_type for row in every}
    for name in names:
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {known[near[0]]}?" if near else "choose one of these"
            message = f"expected one of {', '.join(known.values())} (got {name!r}); {hint}"
            raise LookupError(message)
    wanted = {name.lower() for name in names} or known.keys()
    return tuple(row for row in every if row.op_type.lower() in wanted)


def _table(domain: str, rows: Sequence[Operator]) -> Table:
    table = Table(
        title=domain,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
    )
    table.add_column("operator", no_wrap=True)
    table.add_column("since", justify="right")
    table.add_column("axis", no_wrap=True)
    table.add_column("dtypes", min_width=len("bf16 f16 f32 f64"))
    table.add_column("onnxruntime")
    before = None
    for row in rows:
        kernels = onnxruntime_dtypes(row)
        table.add_row(
            "" if row.op_type == before else row.op_type,
            str(row.since_version),
            _axis(row),
            _short(row.dtypes),
            UNKNOWN if kernels is None else _short(kernels) or "-",
        )
        before = row.op_type
    return table


def _axis(row: Operator) -> str:
    if row.axis_rule is None:
        return "-"
    return f"{row.axis_rule}, {'all' if row.default_axis is None else row.default_axis}"


def _short(dtypes: Sequence[str]) -> str:
    names = ["ints"] if set(INTEGERS) <= set(dtypes) else []
    for dtype in dtypes if not names else (dtype for dtype in dtypes if dtype not in INTEGERS):
        kind = dtype.rstrip("0123456789")
        names.append(SHORT.get(kind, kind) + dtype[len(kind) :])
    return " ".join(names)


def _print_notes(console: Console, rows: Sequence[Operator]) -> None:
    """Print each note once, with the versions that it belongs to, and where the text is."""
    for op_type in dict.fromkeys(row.op_type for row in rows):
        own = [row for row in rows if row.op_type == op_type]
        console.print(f"\n[bold]{op_type}[/bold]  {own[-1].schema_url}", soft_wrap=True)
        for name, attribute in own[-1].attributes.items():
            default = "required" if attribute.required else f"default {attribute.default!r}"
            console.print(f"  {name}: {attribute.type}, {default}", markup=False, soft_wrap=True)
        for note, versions in notes_of(own).items():
            where = "" if len(versions) == len(own) else f"Version {', '.join(map(str, versions))}: "
            console.print(f"  - {where}{note}", markup=False, soft_wrap=True)


def _record(row: Operator) -> dict[str, Any]:
    kernels = onnxruntime_dtypes(row)
    return {
        "op_type": row.op_type,
        "domain": row.domain,
        "since_version": row.since_version,
        "axis_rule": row.axis_rule,
        "default_axis": row.default_axis,
        "types": {name: list(dtypes) for name, dtypes in row.types.items()},
        "inputs": [parameter._asdict() for parameter in row.inputs],
        "outputs": [parameter._asdict() for parameter in row.outputs],
        "attributes": {name: attribute._asdict() for name, attribute in row.attributes.items()},
        "kernels": {"onnxruntime": None if kernels is None else list(kernels)},
        "notes": list(row.notes),
        "schema_url": row.schema_url,
    }
