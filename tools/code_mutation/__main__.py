"""Change one place of the code at a time, run the tests that reach it, and list the changes that they do not notice.

pip install -e ".[test,mutation]"
pytest --cov --cov-context=test --cov-report= -n 2     # once: which test reaches which line
python -m tools.code_mutation --places 300 --seed 0 --coverage .coverage --results changes.json
"""

import difflib
import json
import queue
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.results import write_atomically

from .places import PACKAGES, Mutant, sample
from .runs import Copy, Outcome, Reached, judge

ROOT = Path(__file__).parents[2]


def _change(mutant: Mutant) -> str:
    code = (ROOT / mutant.file).read_text()
    lines = difflib.unified_diff(code.splitlines(), mutant.source(code).splitlines(), n=0, lineterm="")
    return "\n".join(line for line in list(lines)[3:])


def _row(mutant: Mutant, outcome: Outcome) -> dict[str, object]:
    return {**mutant._asdict(), **outcome._asdict(), "change": _change(mutant)}


def run(
    places: Annotated[int, typer.Option(help="How many places to change, one at a time.")] = 300,
    seed: Annotated[int, typer.Option(help="The same places for the same code and seed.")] = 0,
    package: Annotated[list[str] | None, typer.Option(help="Only there; all five by default.")] = None,
    coverage: Annotated[Path | None, typer.Option(help="What pytest --cov --cov-context=test wrote.")] = None,
    results: Annotated[Path | None, typer.Option(help="JSON; what it has is not run again.")] = None,
    jobs: Annotated[int, typer.Option(help="Copies of the checkout that work at the same time.")] = 2,
) -> None:
    """Count how many of a sample of changes the tests notice, and show those that they do not."""
    chosen = sample(ROOT, places, seed, tuple(package or PACKAGES))
    done = json.loads(results.read_text()) if results and results.exists() else []
    known = {(row["file"], row["operator"], row["occurrence"]) for row in done}
    left = [mutant for mutant in chosen if (mutant.file, mutant.operator, mutant.occurrence) not in known]
    left.sort(key=lambda mutant: mutant.file.startswith("numba_kernels"))  # those take longest
    reached, console = Reached(ROOT, coverage), Console(stderr=True)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=console) as progress:
        copies: queue.Queue[Copy] = queue.Queue()
        for job in range(jobs):
            copies.put(Copy(ROOT, Path(folder) / str(job)))
        task = progress.add_task("changes", total=len(left))

        def one(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                done.append(_row(mutant, judge(mutant, copy, reached)))
            finally:
                copies.put(copy)
            if results:
                write_atomically(results, json.dumps(done, indent=1))
            progress.advance(task)

        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(one, left):
                pass
    survivors = [row for row in done if not row["killed"]]
    for row in survivors:
        print(f"{row['file']}:{row['line']} {row['operator']} ({row['by']})\n{row['change']}\n")
    print(f"{len(done) - len(survivors)} of {len(done)} changes were noticed")


if __name__ == "__main__":
    typer.run(run)
