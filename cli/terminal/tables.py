"""What the terminal shows of a conformance report: 80 columns for tensors of ordinary names."""

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .console import cell, shown

if TYPE_CHECKING:
    from softops.conformance import Report, Step
    from softops.conformance.measure.decisions import Decisions
    from softops.conformance.models.differences import Differences

NOTHING = "-"
# The distance of a number from NaN is the largest there is: its digits say nothing.
ULP_READABLE = 10**9
GAP = 3  # columns of the terminal between two of a table, and around all of them
# A terminal narrower than this has room for the essential columns alone.
WIDE = 76
ESSENTIAL = {"output", "tensor", "worst ULP", "worst error", "agree", "verdict", "largest", "digits"}
TEXT = {"output", "type", "tensor", "made by"}
GREEN = {"right", "known", "equal", "explained by rounding"}
YELLOW = {"cannot tell", "not decidable"}


def outputs_table(report: "Report", width: int) -> Table:
    """Return the runtime against softops, from end to end, one row for each output."""
    return apart_table(f"{report.runtime} against softops, from end to end", report.apart, width)


def apart_table(title: str, apart: "Differences", width: int) -> Table:
    """Return one run against another, one row for each output."""
    rows = [
        (
            output.name,
            type_of(output.dtype, output.shape),
            ulp(output.max_ulp),
            ulp(output.mean_ulp),
            NOTHING if output.max_rel is None else f"{output.max_rel:.1e}",
            agreement(apart.decisions.get(output.name)),
        )
        for output in apart.outputs.values()
    ]
    columns = ("output", "type", "worst ULP", "mean ULP", "worst rel.", "agree")
    return plain_table(title, columns, rows, width)


def steps_table(report: "Report", width: int) -> Table:
    """Return the verdicts on the runtime's own values, one row for each step."""
    rows = [
        (
            step.tensor,
            step.operator,
            error_of(step),
            share(step.bound_used),
            step.verdict if step.verdict != "wrong" else f"{step.wrong:,} of {step.size:,} wrong",
        )
        for step in report.steps
    ]
    columns = ("tensor", "made by", "worst error", "bound used", "verdict")
    return plain_table(f"Each step of {report.runtime}, judged on the values it got", columns, rows, width)


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """Return a table of texts; where the terminal is narrow, of its essential columns alone."""
    table = Table(
        title=shown(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False
    )
    wanted = [width >= WIDE or name in ESSENTIAL for name in columns]
    for name in compress(columns, wanted):
        table.add_column(name, justify="left" if name in TEXT else "right", overflow="fold")
    for row in rows:
        cells = compress(zip(columns, row, strict=True), wanted)
        table.add_row(*(cell(text, _style(name, text)) for name, text in cells))
    return table


def table_that_fits(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """Return a table of texts, without its second column, the types, where names would have to be folded for it."""
    if fits(columns, rows, width):
        return plain_table(title, columns, rows, width)
    name, _, *figures = columns
    return plain_table(title, (name, *figures), [(first, *rest) for first, _, *rest in rows], width)


def fits(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Tell whether a table of texts needs no more than that width."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return sum(widths) + GAP * len(widths) <= width


def _style(column: str, cell: str) -> str:
    if column != "verdict":
        return ""
    return "green" if cell in GREEN else "yellow" if cell in YELLOW else "red"


def type_of(dtype: str, shape: Sequence[int]) -> str:
    """Return dtype and shape as ``float32[8,10]``."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def agreement(decided: "Decisions | None") -> str:
    """Return how often both decide the same: the same label, or the same largest element of a row."""
    return NOTHING if decided is None else share(1 - decided.changed / decided.count)


def error_of(step: "Step") -> str:
    """Return the largest error of a step; of integers and strings it is none or a wrong answer."""
    return NOTHING if step.max_error_ulp is None else f"{ulp(step.max_error_ulp)} ULP"


def ulp(count: float | None) -> str:
    """Return a number of ULP in as many digits as can be read."""
    if count is None:
        return NOTHING
    if count > ULP_READABLE:
        return f"> {ULP_READABLE:.0e}"
    return f"{count:,.2f}" if isinstance(count, float) and count < 1000 else f"{count:,.0f}"


def share(part: float | None) -> str:
    """Return a share in percent; 100 % only when it is all of it."""
    if part is None:
        return NOTHING
    if 0.999 < part < 1:  # rounding must not make it all of it
        return "99.9 %"
    if part > 100:
        return "> 10000 %"
    return f"{100 * part:.0f} %" if part == 1 else f"{100 * part:.1f} %"
