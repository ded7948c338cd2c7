"""What others took of the processors' time is told from the system's own counts, and marks what was timed then."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# user nice system idle iowait irq softirq steal guest guest_nice, in ticks
STAT = """\
cpu  1300 0 150 9000 50 1 2 7 900 0
cpu0 100 20 30 800 50 1 2 7 90 0
cpu1 1000 0 0 7000 0 0 0 0 0 0
cpu10 200 0 0 1000 0 0 0 0 0 0
intr 12 34
"""


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.busy")


@pytest.fixture
def watch(busy):
    """A watch that finds these readings; what it says of the time between."""

    def say(*readings):
        found = iter([reading and busy.Reading(*reading) for reading in readings])
        return busy.Watch(lambda: next(found)).others()

    return say


def test_a_reading_is_of_the_processors_that_may_be_used(busy):
    # proc(5): guests are counted in user too, waiting for a disk is idle, stolen time is not
    assert busy.reading(STAT, {0}, 5.0) == busy.Reading(1010, 160, 5.0)
    assert busy.reading(STAT, {0, 1}, 5.0) == busy.Reading(9010, 1160, 5.0)
    assert busy.reading(STAT, {0, 2}, 5.0) is None
    assert busy.reading("", {0}, 5.0) is None


@pytest.mark.parametrize(
    ("end", "share"),
    [
        ((2000, 600, 550), 0.0),  # all that ran was ours
        ((2000, 800, 550), 0.2),
        ((2000, 1100, 50), 1.0),
        ((2000, 590, 551), 0.0),  # the two clocks differ by some ticks
        ((1010, 105, 50), None),  # too short
        (None, None),
    ],
)
def test_what_is_not_ours_is_others(watch, end, share):
    assert watch((1000, 100, 50), end) == share


def test_without_the_systems_counts_nothing_is_known_and_nothing_marked(busy, watch, monkeypatch):
    assert watch(None, (1000, 100, 50)) is None
    monkeypatch.setattr(busy.Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError()))
    assert busy.read() is None
    assert busy.Watch().others() is None


@pytest.mark.parametrize("others", [0.3, 0.1, None])
def test_a_row_is_marked_where_others_took_more_than_a_tenth(monkeypatch, busy, others):
    results, table, runner = (
        importlib.import_module(f"benchmarks.{name}") for name in ("results", "report.table", "runner")
    )
    workload = importlib.import_module("benchmarks.workloads").Workload("softmax", (3, 5))
    timing = importlib.import_module("benchmarks.timing")
    monkeypatch.setattr(runner.Watch, "others", lambda self: others)
    row = runner.run_row(workload, 1, [], timing.QUICK)
    assert row.others == others
    assert row.busy is (others == 0.3)
    assert table.marked("softmax", row) == ("softmax †" if others == 0.3 else "softmax")
    assert results.Figure("call", 1.0, None, others).busy is (others == 0.3)
