"""The page says which targets are missed and by how much."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch):
    """benchmarks' page, results and shortfalls."""
    monkeypatch.syspath_prepend(str(ROOT))
    return [
        importlib.import_module(f"benchmarks.{name}") for name in ("page", "results", "report.shortfalls")
    ]


@pytest.fixture
def found(modules):
    """Results with these rows (workload, seconds of softops, of the peer, share of a copy) and figures."""
    _, results, _ = modules

    def find(rows=(), figures=()):
        made = tuple(
            results.Row(name, 1, {"softops": ours, "p": peer}, 1.0, share) for name, ours, peer, share in rows
        )
        more = tuple(results.Figure(*figure) for figure in figures)
        return results.Results(
            date="today",
            command="run",
            cpu="cpu",
            instruction_set="AVX2",
            processor_set="AVX2",
            cores=1,
            load=0.0,
            rounds=1,
            threads=(1,),
            versions={"p": "1"},
            absent=(),
            rows=made,
            figures=more,
        )

    return find


@pytest.fixture
def said(modules, found):
    """What is said of such results."""
    return lambda rows=(), figures=(): modules[2].shortfalls(found(rows, figures))


def test_nothing_is_said_where_every_target_is_reached(said):
    row = ("softmax (4096, 4096) float32", 1.0, 2.5, 0.9)
    assert said([row], [("call: softmax (1, 10)", 1e-6, 2e-6), ("import: numba", 9.0)]) is None


def test_lost_rows_are_counted(said):
    rows = [
        ("softmax (64, 1000) float32", 2.0, 1.0, 0.1),
        ("softmax (4096, 1000) float32", 1.0, 0.8, 0.1),
        ("sigmoid (65536,) float32", 1.0, 9.0, 0.1),
    ]
    text = said(rows)
    assert "the geometric mean is 1.53, and should be 2.2 or more" in text
    assert "2 of 3 rows are lost, at 0.50 to 0.80 of the fastest library's speed" in text


@pytest.mark.parametrize(("workload", "counts"), [("(4096, 4096)", True), ("(64, 1000)", False)])
def test_the_speed_of_a_copy_is_asked_of_large_arrays_alone(said, workload, counts):
    text = said([(f"softmax {workload} float32", 1.0, 3.0, 0.6)])
    assert (text is not None) is counts
    if counts:
        assert "of 1 rows beyond the caches 1 run at 60% to 60% of a copy's speed; 85% was the aim" in text


def test_calls_and_first_calls_are_named(said):
    name = "first call: softmax, serial, cold cache"
    text = said(figures=[(name, 4.5, 3.0)])
    assert f"{name}: 4.5 s, and should be below 3 s." in text
    dispatch = "call: checks, layout and dispatch alone, softmax (1, 1) with out="
    assert f"{dispatch}: 2.7 µs, and should be below 2 µs." in said(figures=[(dispatch, 2.7e-6, 2e-6)])


def test_what_is_written_by_hand_stays(tmp_path, modules, found):
    page = modules[0]
    path = tmp_path / "benchmarks.md"
    path.write_text(f"old figures\n{page.BY_HAND}\n\n## Causes\n\nBecause.\n")
    page.save_page([found()], path)
    text = path.read_text()
    assert text.count("## Causes\n\nBecause.\n") == text.count(page.BY_HAND) == 1
    assert "old figures" not in text
    assert "# Benchmarks" in text
