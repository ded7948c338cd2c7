"""Changed models end in a result or a documented error, whatever they are given to."""

from pathlib import Path
from random import Random

import onnx
import pytest

ROOT = Path(__file__).parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # the tools are no part of the installed package
    from tools.mutation.__main__ import content_of, faults
    from tools.mutation.changes import CHANGES
    from tools.mutation.entries import ENTRIES, LIBRARY, fault_of
    from tools.mutation.seeds import seeds


@pytest.mark.parametrize("name", seeds())
def test_the_seeds_are_right_models(name, tmp_path):
    made = seeds()[name]
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, tmp_path / "m.onnx")
    (tmp_path / "o").mkdir()
    for entry in ("load_model", "lint", "prepare"):
        LIBRARY[entry](tmp_path / "m.onnx", tmp_path / "o")


def test_a_number_is_always_the_same_model():
    assert content_of(3, 14) == content_of(3, 14)
    assert len({content_of(3, index)[1] for index in range(40)}) == 40


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_changes_something(change):
    made = seeds()["branches"]
    before, random = made.SerializeToString(), Random(1)
    for _ in range(5):
        change(made, random)
    assert made.SerializeToString() != before


@pytest.mark.parametrize("first", range(0, 36, 6))
def test_changed_models_over_every_entry(first, tmp_path):
    for index in range(first, first + 6):
        (tmp_path / "m.onnx").write_bytes(content_of(0, index)[1])
        for entry in ENTRIES:
            out = tmp_path / f"{index}-{entry}"
            out.mkdir()
            assert fault_of(entry, tmp_path / "m.onnx", out) is None, (index, entry)


def test_a_fault_is_seen(monkeypatch, tmp_path):
    (tmp_path / "m.onnx").write_bytes(content_of(0, 0)[1])

    def broken(model, out):
        (out / "half.onnx").write_bytes(b"half")
        raise KeyError(0)

    monkeypatch.setitem(LIBRARY, "lint", broken)
    assert "KeyError" in fault_of("lint", tmp_path / "m.onnx", tmp_path)


@pytest.mark.slow
def test_many_changed_models_in_processes_of_their_own(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = [call for call in faults(0, 0, 4000, ENTRIES) if call["fault"]]
    assert found == []
