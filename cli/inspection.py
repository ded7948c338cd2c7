"""`softops inspect`: what a model makes of the softmax family, and what a reader should be warned of."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table

from .fusions import MAIN_GRAPH, print_fusions
from .terminal.console import Console, cell, shown

if TYPE_CHECKING:
    from softops.opset import LintReport, LintWarning, NodeRecord
    from softops.opset.lint.fusions import FusionRecord

UNKNOWN = "?"
# Of one kind of warning, as many nodes are named as one can take in; the rest are counted.
SHOWN_OF_A_KIND = 5
COLUMNS = ("node", "operator", "axis", "rule", "works along", "input", "in")
GAP = 3  # columns of the terminal between two of the table
NOTHING = "-"
ELEMENTWISE = "elementwise"
# With more nodes than this, those that differ in nothing but their name share a row.
MOST_ROWS = 40


def run_inspection(model: Path, *, as_json: bool, for_runtime: str | None, fusions: bool = False) -> bool:
    """Print the report of a model; True when there is nothing to warn of."""
    from softops.opset import lint

    report = lint(model, for_runtime=for_runtime)
    found: tuple[FusionRecord, ...] | None = None
    if fusions:
        from softops.opset.lint.fusions import fusions_of

        found = fusions_of(model)
    if as_json:
        more = {} if found is None else {"fusions": [asdict(record) for record in found]}
        json.dump({**report.to_dict(), **more, "model": str(model)}, sys.stdout, indent=2)
        print()
    else:
        console = Console()
        _print_report(console, report, model)
        if found is not None:
            print_fusions(console, found)
    return not report.warnings


def _print_report(console: Console, report: "LintReport", model: Path) -> None:
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in report.opsets.items())
    console.print(
        f"[bold]{shown(model)}[/bold]  IR {report.ir_version}, opset {shown(opsets)}", soft_wrap=True
    )
    if report.nodes:
        console.print()
        _print_nodes(console, report.nodes)
        console.print()
    else:
        console.print("No node of the softmax family.")
    kinds: dict[str, list[LintWarning]] = {}
    for warning in report.warnings:
        kinds.setdefault(warning.code, []).append(warning)
    for warnings in kinds.values():
        _print_kind(console, warnings)
    for note in report.notes:
        console.print(f"Note: {shown(note)}.", soft_wrap=True)
    console.print(_summary(report))


def _print_kind(console: Console, warnings: "list[LintWarning]") -> None:
    first = warnings[0]
    color = "red" if first.severity == "error" else "yellow"
    console.print(cell(f"{first.severity} {first.code}", f"bold {color}"))
    for warning in warnings[:SHOWN_OF_A_KIND]:
        console.print(f"  {shown(_place(warning) + warning.message)}.", soft_wrap=True)
    if len(warnings) > SHOWN_OF_A_KIND:
        console.print(f"  … and {len(warnings) - SHOWN_OF_A_KIND} more like these (--json lists them all)")
    for cure in dict.fromkeys(warning.cure for warning in warnings):
        console.print(f"  [bold]Cure:[/bold] {shown(cure)}.", soft_wrap=True)
    console.print()


def _place(warning: "LintWarning") -> str:
    if warning.node is None:
        return ""
    where = "" if warning.where in (None, MAIN_GRAPH) else f" ({warning.where})"
    return f"{warning.node}{where}: "


def _summary(report: "LintReport") -> str:
    def count(number: int, what: str) -> str:
        return f"{number} {what}{'' if number == 1 else 's'}"

    errors = sum(warning.severity == "error" for warning in report.warnings)
    said = [count(len(report.nodes), "node") + " of the family"]
    if errors:
        said.append(count(errors, "error"))
    said.append(count(len(report.warnings) - errors, "warning"))
    return ", ".join(said) + "."


def _print_nodes(console: Console, nodes: "tuple[NodeRecord, ...]") -> None:
    """Print a table where it fits the terminal, else the name of each node on a line above what it does."""
    rows = [_row(node) for node in nodes]
    if len(rows) > MOST_ROWS:
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, *rest, where in rows:
            alike.setdefault((*rest, where and "subgraphs and functions"), []).append(name)
        rows = [(_first_of(names), *rest) for rest, names in alike.items()]
    if not any(where for *_, where in rows):
        rows = [row[:-1] for row in rows]
    columns = COLUMNS[: len(rows[0])]
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + GAP * len(widths) > console.width:
        for row in rows:
            _print_in_two_lines(console, dict(zip(columns, row, strict=True)))
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(cell, row))
    console.print(table)


def _print_in_two_lines(console: Console, row: dict[str, str]) -> None:
    where = f"  (in {shown(row['in'])})" if row.get("in") else ""
    axis = "" if row["axis"] == NOTHING else f", axis {row['axis']}"
    rule = "" if row["rule"] == NOTHING else f", {row['rule']}"
    console.print(f"[bold]{shown(row['node'])}[/bold]{where}", soft_wrap=True)
    along = row["works along"] if row["works along"] == ELEMENTWISE else f"works along {row['works along']}"
    does = f"{row['operator']}{axis}{rule}, {along}, on {row['input']}"
    console.print(Padding(cell(does), (0, 0, 0, 2), expand=False))


def _row(node: "NodeRecord") -> tuple[str, ...]:
    where = "" if node.where == MAIN_GRAPH else node.where
    return (
        node.name,
        node.operator,
        _axis(node.axis),
        node.axis_rule or NOTHING,
        _works_along(node),
        _input(node),
        where,
    )


def _first_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _axis(axis: int | tuple[int, ...] | None) -> str:
    if axis is None:
        return NOTHING
    return ",".join(map(str, axis)) if isinstance(axis, tuple) else str(axis)


def _works_along(node: "NodeRecord") -> str:
    """`1-3 (60)`: the dimensions and how many elements they have."""
    if node.op_type == "Attention":
        return node.detail  # the axis of its softmax is none of an input's
    if node.works_along is None:
        along = UNKNOWN
    elif not node.works_along:
        along = ELEMENTWISE
    elif len(node.works_along) > 1 and node.axis_rule == "flatten":
        along = f"{node.works_along[0]}-{node.works_along[-1]}"
    else:
        along = ",".join(map(str, node.works_along))
    count = "" if node.elements is None else f" ({node.elements})"
    return f"{along}{count}" + (f", {node.detail}" if node.detail else "")


def _input(node: "NodeRecord") -> str:
    if node.shape is None:
        return node.dtype or UNKNOWN
    sizes = ",".join(UNKNOWN if size is None else str(size) for size in node.shape)
    return f"{node.dtype or UNKNOWN}[{sizes}]"
