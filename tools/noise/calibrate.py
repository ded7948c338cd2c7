"""How right runtimes deviate from the exact outputs of a model, in units of its noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from softops.conformance import ModelNotRunError

from .entry import Entry
from .measure import (
    EXPLAINED,
    TOLERANCES,
    UNDECIDED,
    Row,
    accusations,
    judgements,
    noise_of,
    ratios_of,
    runs_of,
)
from .page import percent, table
from .tally import Tally

_SAID = 160

_TEXT = """\
{models} models, {trained} of them trained, on {seeds} seeds each that were not used for choosing constants
({first} to {last}), {samples} noisy runs. One comparison is one output of one runtime on one input: onnxruntime at
four levels, OpenVINO in float32, the backend of softops, and torch where the model was exported from it.

Of {comparisons:,} comparisons, {elements:,} elements, {alarms} were false alarms; {undecided} outputs were not
decidable. {two} of all elements lie within two standard deviations, {six} within six.
"""

_HEADER = (
    *("model", "trained", "runtimes", "comparisons", "within 2 sigma", "within 6 sigma", "median"),
    *("largest", "largest rms", "not decidable", "false alarms", "s per input"),
)


def calibrated(entry: Entry, seeds: Sequence[int], samples: int, told: Callable[[], None]) -> Row:
    """
    Compare the right runtimes with a model's noise on each seed; ``told`` is called after each.

    A model whose noise cannot be computed is a row that says why.
    """
    runs, absent = runs_of(entry)
    tally, comparisons, undecided, alarms = Tally(), 0, 0, []
    accused = dict.fromkeys(TOLERANCES, 0)
    spent, failed = 0.0, ""
    for seed in seeds:
        feeds = entry.inputs(seed)
        start = time.perf_counter()
        try:
            outputs = noise_of(entry, feeds, samples)
        except (ValueError, TypeError, LookupError, ModelNotRunError) as error:
            failed = _short(str(error))
            break
        spent += time.perf_counter() - start
        for name, run in list(runs.items()):
            try:
                actual = run(feeds)
            except ModelNotRunError as error:
                absent.append(f"{name}: {error}")
                del runs[name]
                continue
            for tensor, array, judgement in judgements(outputs, actual):
                comparisons += 1
                tally.add(ratios_of(tensor, array))
                undecided += judgement.verdict == UNDECIDED
                if judgement.verdict not in (*EXPLAINED, UNDECIDED):
                    alarms.append(
                        f"{tensor.name}, {name}, seed {seed}: {judgement.verdict}, {judgement.reason}"
                    )
            for tolerance, wrong in accusations(outputs, actual).items():
                accused[tolerance] += wrong
        told()
    return Row(
        *(entry.name, entry.trained, list(runs), [_short(text) for text in absent], tally, comparisons),
        *(undecided, alarms, accused, spent / max(len(seeds), 1), failed),
    )


def section(rows: Sequence[Row], seeds: Sequence[int], samples: int) -> str:
    """Return the section of the page: the table, and below it what was left out and what was wrongly accused."""
    measured = [row for row in rows if not row.failed]
    everything = Tally()
    for row in measured:
        everything.update(row.tally)
    text = _TEXT.format(
        models=len(measured),
        trained=sum(row.trained for row in measured),
        seeds=len(seeds),
        first=seeds[0],
        last=seeds[-1],
        samples=samples,
        comparisons=sum(row.comparisons for row in measured),
        elements=everything.count,
        alarms=sum(len(row.alarms) for row in measured) or "none",
        undecided=sum(row.undecided for row in measured) or "no",
        two=percent(everything.within_two, everything.count),
        six=percent(everything.within_six, everything.count),
    )
    return text + "\n" + table(_HEADER, [_cells(row) for row in measured]) + _below(rows)


def _cells(row: Row) -> list[str]:
    tally = row.tally
    return [
        *(row.name, "yes" if row.trained else "no", _runtimes(row), f"{row.comparisons:,}"),
        *(percent(tally.within_two, tally.count), percent(tally.within_six, tally.count)),
        *(f"{tally.median:.2f}", f"{tally.largest:.1f}", f"{tally.largest_rms:.2f}"),
        *(str(row.undecided), str(len(row.alarms)), f"{row.seconds:.1f}"),
    ]


def _runtimes(row: Row) -> str:
    """Return what a model ran in, the levels of onnxruntime as a number."""
    levels = sum(name.startswith("onnxruntime") for name in row.runtimes)
    others = [name.partition(":")[0] for name in row.runtimes if not name.startswith("onnxruntime")]
    return ", ".join([f"onnxruntime ({levels} levels)"] * bool(levels) + others)


def _below(rows: Sequence[Row]) -> str:
    lines = [f"- {row.name} was not measured: {row.failed}" for row in rows if row.failed]
    lines += [f"- {row.name} was not run in {text}" for row in rows for text in row.absent]
    lines += [f"- {row.name}, false alarm: {_short(text)}" for row in rows for text in row.alarms[:3]]
    return "\n\n" + "\n".join(lines) if lines else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SAID else text[: _SAID - 2].rsplit(" ", 1)[0] + " …"
