"""The results of one run, or of several side by side, as tables in Markdown."""

from collections.abc import Sequence

from ..busy import MOST_OTHERS
from ..results import MARK, OURS, Figure, Results
from .table import DASH, long_duration, marked, ratio_cell, share_cell, time_cell

LEGEND = f"{MARK} Other processes took more than {MOST_OTHERS:.0%} of the processors' time meanwhile"
FIRST_CALL = "first call: "


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def threads_of(count: int) -> str:
    """A number of threads in words."""
    return f"{count} thread{'s' if count > 1 else ''}"


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def machines(runs: Sequence[Results]) -> str:
    """Where and with what each run was made."""
    lines = {
        "processor": [run.cpu for run in runs],
        "its widest instruction set": [run.processor_set for run in runs],
        "cores": [str(run.cores) for run in runs],
        "date": [run.date for run in runs],
        "rounds": [str(run.rounds) for run in runs],
    }
    for name in dict.fromkeys(name for run in runs for name in run.versions):
        lines[name] = [run.versions.get(name, DASH) for run in runs]
    lines["command"] = [f"`{run.command}`" for run in runs]
    header = ["softops compiled for", *(run.instruction_set for run in runs)]
    return markdown_table(header, [[name, *cells] for name, cells in lines.items()])


def ratios(runs: Sequence[Results]) -> str:
    """Every workload's ratio in every run, at every number of threads."""
    columns = [(run, threads) for run in runs for threads in run.threads]
    found = [{row.workload: row for row in run.rows if row.threads == threads} for run, threads in columns]
    table = []
    for workload in dict.fromkeys(row.workload for run in runs for row in run.rows):
        rows = [column.get(workload) for column in found]
        cells = [marked(_bold(ratio_cell(row), row.lost), row) if row else DASH for row in rows]
        table.append([workload, *cells])
    header = [f"{run.instruction_set}, {threads_of(threads)}" for run, threads in columns]
    legend = f"\n\n{LEGEND}." if any(row.busy for run in runs for row in run.rows) else ""
    return markdown_table(["workload", *header], table) + legend


def times(run: Results, threads: int) -> str:
    """Every library's times, a row a workload."""
    rows = [row for row in run.rows if row.threads == threads]
    table = []
    for row in rows:
        cells = [time_cell(row, name) for name in (OURS, *run.peers)]
        name = marked(_bold(row.workload, row.lost), row)
        table.append([name, *cells, _bold(ratio_cell(row), row.lost), share_cell(row)])
    shares = [row.others for row in rows if row.busy and row.others is not None]
    legend = f"\n\n{LEGEND}: {min(shares):.0%} to {max(shares):.0%}." if shares else ""
    return markdown_table(["workload", OURS, *run.peers, "best / softops", "copy"], table) + legend


def calls(figures: Sequence[Figure]) -> str:
    """The figures that are no first calls, each beside its target."""
    table = []
    for figure in figures:
        if not figure.name.startswith(FIRST_CALL):
            target = DASH if figure.target is None else f"< {long_duration(figure.target)}"
            table.append([figure.name, _cell(figure), target])
    return markdown_table(["what", "time", "target"], table) if table else ""


def first_calls(figures: Sequence[Figure]) -> str:
    """The first calls, an operator a row and a way to call it a column, with its target."""
    found: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        if figure.name.startswith(FIRST_CALL):
            operator, _, way = figure.name.removeprefix(FIRST_CALL).partition(", ")
            found.setdefault(operator, {})[way] = figure
    targets = {way: figure.target for each in found.values() for way, figure in each.items()}
    ways = sorted(targets, key=lambda way: "cold" not in way)
    header = [f"{way} (< {long_duration(target)})" if (target := targets[way]) else way for way in ways]
    table = [[name, *(_cell(each.get(way)) for way in ways)] for name, each in found.items()]
    return markdown_table(["operator", *header], table) if table else ""


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return DASH
    return marked(_bold(long_duration(figure.seconds), figure.missed), figure)
