"""The benchmark over dask arrays: all ways compute the same, and the tables go where the page has a place for them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.distributed.__main__ import BEGIN, END, check, plan, with_tables
from benchmarks.distributed.processes import measured
from benchmarks.distributed.ways import SHAPES, WAYS, logits


@pytest.mark.parametrize("shape", SHAPES)
def test_all_ways_compute_the_same(shape, monkeypatch):
    monkeypatch.setattr("benchmarks.distributed.ways.CHUNK", 6000)
    x = logits(SHAPES[shape](20_000))
    assert x.size == 20_000
    assert x.npartitions >= 3
    numbers = x.compute(scheduler="synchronous").astype(np.float64)
    e = np.exp(numbers)
    wanted = {"softops": (e / e.sum(-1, keepdims=True)).max(), "log-sums": np.log(e.sum(-1)).max()}
    for way, (_, compute) in WAYS.items():
        if way != "made":
            found = compute(x).compute(scheduler="synchronous")
            np.testing.assert_allclose(
                found, wanted["log-sums" if "log-sums" in way else "softops"], rtol=1e-5
            )


def test_a_measurement_in_a_process_of_its_own():
    found = measured("rows of 1000", "threads", "softops", 20_000)
    assert found.seconds > 0
    assert 20 < found.megabytes < 4000  # an interpreter with NumPy and Numba
    with pytest.raises(ValueError, match="differ"):
        check([found, found._replace(way="usual", result=2 * found.result)])


def test_numpy_where_there_is_memory():
    assert not any(engine == "NumPy" for _, engine, _ in plan(10**9, 10e9))
    assert any(engine == "NumPy" for _, engine, _ in plan(10**9, 20e9))


def test_tables_go_between_the_marks():
    page = f"before\n\n{BEGIN}\n\nold\n\n{END}\nafter\n"
    assert with_tables(page, "new") == f"before\n\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        with_tables("a page without marks", "new")
    page = Path(__file__).parents[2] / "docs" / "distributed.md"
    assert with_tables(page.read_text("utf-8"), "new").count("new") >= 1
