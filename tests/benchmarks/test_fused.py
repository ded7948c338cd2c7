"""The compositions: every library computes the same, and what is wrong is told."""

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fused(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.fused.{name}")


def test_every_library_computes_every_task(fused):
    runner, timing = fused("runner"), importlib.import_module("benchmarks.timing")
    names = [task.name for task in runner.TASKS]
    assert len(set(names)) == len(names)
    for task in runner.select(["softmax and top", "sample", "(1048576,)", "_norm (128, 256)"]):
        row = runner.run_task(task, 1, timing.Method(1, 1e-4, 0, 0))
        assert row.notes == {}
        assert row.ours > 0
        others = [library for library in list(task.libraries)[1:] if fused("task").is_installed(library)]
        assert (row.best_peer is not None) == bool(others)


def test_wrong_results_are_told(fused):
    tasks = {task.name: task for task in fused("tasks").TASKS}
    best = tasks["softmax and top 5 of (64, 50257)"]
    values, indices = best.libraries["softops"](1).result()
    assert best.wrong([values, indices]) is None
    assert "other indices" in best.wrong([values, indices[:, ::-1]])
    assert "relative error" in best.wrong([values * 1.01, indices])
    draws = tasks["sample (64, 50257) top_p=0.9"]
    drawn = draws.libraries["softops"](1).result()
    assert draws.wrong(drawn) is None
    assert "1 of 64 draws" in draws.wrong(np.append(drawn[:-1], best.x()[-1].argmin()))


def test_a_wrong_activation_is_told(fused):
    tasks = {task.name: task for task in fused("tasks").TASKS}
    gelu = tasks["gelu (128, 1024)"]
    y = gelu.libraries["softops"](1)
    y.call()
    assert gelu.wrong(y.result()) is None
    assert "relative error" in gelu.wrong(y.result() * 1.0001)


def test_a_library_that_fails_is_noted(fused):
    runner, task, timing = fused("runner"), fused("task"), importlib.import_module("benchmarks.timing")

    def failing(threads):
        message = "no memory"
        raise RuntimeError(message)

    x = np.zeros(3)
    prepared = importlib.import_module("benchmarks.peers.peer").returning(x.sum, np.asarray)
    libraries = {"softops": lambda threads: prepared, "NumPy": failing}
    row = runner.run_task(task.Task("sum", lambda: x, libraries, lambda result: None), 1, timing.QUICK)
    assert row.notes == {"NumPy": "RuntimeError: no memory"}
    assert row.seconds["NumPy"] is None
    assert row.ours > 0


def test_losses_of_a_small_vocabulary(fused, monkeypatch):
    """As they are, the products of some libraries take seconds."""
    losses, timing = fused("losses"), importlib.import_module("benchmarks.timing")
    for name, size in (("ROWS", 20), ("FEATURES", 16), ("CLASSES", 60), ("SCORES", (30, 50))):
        monkeypatch.setattr(losses, name, size)
    for made in (losses.arrays, losses._exact, losses._scores):
        made.cache_clear()
    runner = fused("runner")
    for task in losses.TASKS:
        row = runner.run_task(task, 1, timing.Method(1, 1e-4, 0, 0))
        assert row.notes == {}
        assert row.ours > 0
        found = task.libraries["softops"](1).result()
        assert task.wrong(found) is None
        first = found[0] if isinstance(found, list) else found
        assert "relative error" in task.wrong(
            [first * 1.1, *found[1:]] if isinstance(found, list) else first * 1.1
        )
    step = losses.TASKS[1].libraries["softops"](1).result()
    assert "dweight is off" in losses.TASKS[1].wrong([*step[:2], step[2] * 1.01])
    for made in (losses.arrays, losses._exact, losses._scores):
        made.cache_clear()
