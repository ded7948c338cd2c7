"""The page is made of what runs on several machines have left."""

import importlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "benchmarks" / "runs").glob("*.json"))
NAME = "softmax (64, 1000) float32"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a module of the package."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def made(load):
    """A run of one row, with this instruction set, seconds of ours and of the peer, and share of others."""
    results = load("results")

    def make(instruction_set, ours, peer, others=None):
        row = results.Row(NAME, 2, {"softops": ours, "p": peer}, 1e-5, 0.5, {}, others)
        figure = results.Figure("first call: softmax, serial, cold cache", 3.5, 3.0, others)
        return results.Results(
            date="2030-01-02 03:04 UTC",
            command="python -m benchmarks",
            cpu=f"a processor with {instruction_set}",
            instruction_set=instruction_set,
            processor_set="AVX-512",
            cores=2,
            load=0.0,
            rounds=5,
            threads=(2,),
            versions={"softops": "1.0", "p": f"of the run with {instruction_set}"},
            absent=("q",),
            rows=(row,),
            figures=(figure,),
        )

    return make


def cells(text, begin):
    """The cells of the lines of the page whose first cell begins so."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| {begin}")
    ]


def test_json_is_read_as_it_was_written(load, made):
    kind, run = load("results").Results, made("AVX2", 2e-5, 3e-5, 0.2)
    assert kind.from_json(run.to_json()) == run
    for text in ("[]", "{}", "no JSON", run.to_json().replace('"copy_seconds"', '"old_name"')):
        with pytest.raises(ValueError, match=r"expected|Expecting"):
            kind.from_json(text)


def test_runs_stand_side_by_side_in_the_same_order(load, made):
    page, runs = load("page"), [made("AVX2", 2e-5, 3e-5), made("AVX-512", 2e-5, 1e-5)]
    text = page.page(page.together(runs))
    assert text == page.page(page.together(runs[::-1]))
    assert cells(text, "softops compiled")[0][1:] == ["AVX-512", "AVX2"]
    assert cells(text, "processor")[0][1:] == ["a processor with AVX-512", "a processor with AVX2"]
    assert cells(text, "p ")[0][1:] == ["of the run with AVX-512", "of the run with AVX2"]
    assert cells(text, NAME)[0][1:] == ["**0.50**", "1.50"]
    assert cells(text, f"**{NAME}**")[0][1:3] == ["20", "10"]  # a table of times for each run
    assert cells(text, NAME)[1][1:3] == ["20", "30"]
    assert "| operator | serial, cold cache (< 3 s) |" in text
    assert "†" not in text.partition("## Method")[0]


def test_busy_rows_are_marked_and_the_mark_is_explained(load, made):
    page = load("page")
    text = page.page([made("AVX2", 2e-5, 3e-5, 0.25)]).partition("## Method")[0]
    assert cells(text, NAME)[0][1:] == ["1.50 †"]
    assert cells(text, f"{NAME} †")[0][1:3] == ["20", "30"]
    assert cells(text, "softmax |")[0][1:] == ["**3.5 s** †"]
    assert "† Other processes took more than 10% of the processors' time meanwhile: 25% to 25%." in text
    assert "while 1 of 1 rows were timed, other processes took more than 10%" in text


def test_a_run_takes_the_place_of_the_committed_one_of_its_instruction_set(tmp_path, load, made):
    page, old, other = load("page"), made("AVX2", 9e-5, 9e-5), made("AVX-512", 2e-5, 1e-5)
    for name, run in (("avx2", old), ("avx512", other)):
        (tmp_path / f"{name}.json").write_text(run.to_json(), "utf-8")
    new = replace(old, date="2031-01-01 00:00 UTC")
    assert page.with_committed(new, tmp_path) == [other, new]
    assert page.with_committed(new, tmp_path / "none") == [new]
    with pytest.raises(ValueError, match="AVX2, AVX2"):
        page.together([old, new])


def test_the_command_writes_the_page_and_refuses_what_is_no_run(tmp_path, load, made):
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, name in zip(files, ("AVX2", "AVX-512"), strict=True):
        file.write_text(made(name, 2e-5, 3e-5).to_json(), "utf-8")
    docs = tmp_path / "docs" / "page.md"

    def command(*given):
        line = [sys.executable, "-m", "benchmarks.page", *map(str, given), "--docs", str(docs)]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    assert command(files[0], files[0]).returncode == 2
    (tmp_path / "c.json").write_text("{}")
    refused = command(files[0], tmp_path / "c.json")
    assert refused.returncode == 2
    assert "expected" in refused.stderr
    assert not docs.exists()
    done = command(*files)
    assert done.returncode == 0, done.stderr
    text = docs.read_text("utf-8")
    assert str(tmp_path) not in text
    assert sorted(file.name for file in docs.parent.iterdir()) == [
        "page-avx2.svg",
        "page-avx512.svg",
        "page.md",
    ]
    assert all(f"]({name})" in text for name in ("page-avx2.svg", "page-avx512.svg"))


def test_the_command_shown_holds_no_place_of_a_machine(load):
    shown = load("__main__").command_line
    given = ["--json", "/tmp/x y/r.json", "--docs=/home/me/page.md", "--plot", "../../p.png", "--rounds", "5"]
    assert shown(given) == "python -m benchmarks --json r.json --docs=page.md --plot p.png --rounds 5"
    kept = ["--only", "softmax (1, 10)", "--json", "benchmarks/runs/avx2.json"]
    assert shown(kept) == "python -m benchmarks --only 'softmax (1, 10)' --json benchmarks/runs/avx2.json"


@pytest.mark.skipif(not COMMITTED, reason="no run is committed yet")
def test_the_page_of_the_documentation_is_that_of_the_committed_runs(tmp_path):
    docs = tmp_path / "benchmarks.md"
    shutil.copy(ROOT / "docs" / "benchmarks.md", docs)
    command = [sys.executable, "-m", "benchmarks.page", *map(str, COMMITTED), "--docs", str(docs)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert docs.read_text("utf-8") == (ROOT / "docs" / "benchmarks.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("module", "option"),
    [("__main__", "--docs"), ("__main__", "--plot"), ("accuracy.__main__", "--docs")],
)
def test_a_plot_that_cannot_be_drawn_is_refused_before_the_work(load, monkeypatch, tmp_path, module, option):
    app = typer.Typer()
    app.command()(load(module).run)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = CliRunner().invoke(app, [option, str(tmp_path / "page"), "--quick"])
    assert found.exit_code == 2
    assert "a plot needs matplotlib" in found.output
    assert list(tmp_path.iterdir()) == []
