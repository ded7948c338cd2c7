"""`softops convert`: a model at another opset, with the meaning it had."""

from collections import Counter
from pathlib import Path


def run_conversion(
    model: Path, opset: int | None, out: Path, *, ir_version: int | None, for_runtime: str | None, force: bool
) -> None:
    """Convert the file and print what changed."""
    from softops.opset.convert.files import convert_file

    from .terminal.console import Console, shown

    console = Console(soft_wrap=True)
    with console.status(f"converting {shown(model)}"):
        report = convert_file(
            model, opset, out, ir_version=ir_version, for_runtime=for_runtime, overwrite=force
        )
    change = f"opset {report.source} → {report.target}"
    if report.source == report.target:
        change = f"opset {report.target} already, "
        ir = f"IR version {report.source_ir_version} → {report.ir_version}"
        change += "written as it is" if report.source_ir_version == report.ir_version else ir
    files = "".join(f", {size:,} bytes in {shown(name)}" for name, size in report.data_files.items())
    console.print(f"[bold]{shown(out)}[/bold]  {out.stat().st_size:,} bytes{files}, {change}")
    console.print(f"  {_nodes('added', report.added)}{_nodes('removed', report.removed)}", end="")
    console.print(f"{report.nodes:,} nodes in all, IR version {report.ir_version}")


def _nodes(what: str, operators: Counter[str]) -> str:
    listed = ", ".join(f"{count} {name}" for name, count in sorted(operators.items()))
    return f"{what} {listed}; " if listed else ""
