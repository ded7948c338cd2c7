"""What `softops inspect --fusions` adds: a line for each group of nodes that the backend computes as one, or nearly."""

from typing import TYPE_CHECKING

from .terminal.console import Console, shown

if TYPE_CHECKING:
    from softops.opset.lint.fusions import FusionRecord

MAIN_GRAPH = "main graph"


def print_fusions(console: Console, records: "tuple[FusionRecord, ...]") -> None:
    """Print them, those that are none with the reason."""
    console.print()
    if not records:
        console.print("Nothing that the backend computes as one.")
        return
    for record in records:
        named = zip(record.operators, record.nodes, strict=True)
        nodes = ", ".join(f"{operator} {name}" for operator, name in named)
        where = "" if record.where == MAIN_GRAPH else f" (in {record.where})"
        kind = f"[bold]{shown(record.kind)}[/bold]" if record.reason is None else f"not {shown(record.kind)}"
        reason = "" if record.reason is None else f": {record.reason}"
        console.print(f"{kind}  {shown(nodes + where + reason)}", soft_wrap=True)
    fused = sum(record.reason is None for record in records)
    missed = len(records) - fused
    console.print(f"{fused} computed as one, {missed} near miss{'' if missed == 1 else 'es'}.")
