"""The page says which targets are missed, by how much, and why."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch):
    """What is said of rows (workload, seconds of softops, of the peer, share of a copy) and figures."""
    monkeypatch.syspath_prepend(str(ROOT))
    results, shortfalls = (
        importlib.import_module(f"benchmarks.{name}") for name in ("results", "shortfalls")
    )

    def say(rows=(), figures=()):
        made = tuple(
            results.Row(name, 1, {"softops": ours, "p": peer}, 1.0, share) for name, ours, peer, share in rows
        )
        more = tuple(results.Figure(*figure) for figure in figures)
        return shortfalls.shortfalls(
            results.Results("today", "run", "cpu", 1, 0.0, 1, (1,), {"p": "1"}, (), made, more)
        )

    return say


def test_nothing_is_said_where_every_target_is_reached(said):
    row = ("softmax (4096, 4096) float32", 1.0, 2.5, 0.9)
    assert said([row], [("call: softmax (1, 10)", 1e-6, 2e-6), ("import: numba", 9.0)]) is None


def test_lost_rows_are_counted_and_explained(said):
    rows = [
        ("softmax (64, 1000) float32", 2.0, 1.0, 0.1),
        ("softmax (4096, 1000) float32", 1.0, 0.8, 0.1),
        ("sigmoid (65536,) float32", 1.0, 9.0, 0.1),
    ]
    text = said(rows)
    assert "the geometric mean is 1.53, and should be 2 or more" in text
    assert "2 of 3 rows are lost, at 0.50 to 0.80 of the fastest library's speed" in text
    assert "**softmax, float32.**" in text
    assert "**sigmoid.**" not in text


@pytest.mark.parametrize(("workload", "counts"), [("(4096, 4096)", True), ("(64, 1000)", False)])
def test_the_speed_of_a_copy_is_asked_of_large_arrays_alone(said, workload, counts):
    text = said([(f"softmax {workload} float32", 1.0, 3.0, 0.6)])
    assert (text is not None) is counts
    if counts:
        assert "of 1 rows beyond the caches 1 run at 60% to 60% of a copy's speed; 85% was the aim" in text
        assert "**Large arrays.**" in text


def test_calls_and_first_calls_are_named(said):
    name = "first call: softmax, serial, cold cache"
    text = said(figures=[(name, 4.5, 3.0)])
    assert f"{name}: 4.5 s, and should be below 3 s." in text
    assert "**First calls.**" in text
    dispatch = "call: checks, layout and dispatch alone, softmax (1, 1) with out="
    assert "**calls on a few numbers.**" in said(figures=[(dispatch, 2.7e-6, 2e-6)])
