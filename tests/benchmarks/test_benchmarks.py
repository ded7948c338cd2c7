"""The benchmark times what it says, and says so in every form."""

import importlib
import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
LARGE = ["(100000, 10)", "(4096, 1000)", "(256, 50257)", "(24576, 128)", "(4096, 4096)"]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch):
    """Import a module of the package, which lies in the checkout and is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"benchmarks.{name}")

    return load


def test_the_workloads_are_those_that_were_agreed(module):
    shapes = ["(1, 10)", *LARGE, "(64, 1000)", "(1, 128256)"]
    shapes += ["(1, 21, 512, 512) axis 1", "(1000, 4096) axis 0", "(8, 1000, 49) axis 1"]
    shapes += ["(1, 1000)", "(8, 32000)", "(32, 151936)", "(1, 2, 3, 40000)"]
    expected = set()
    for operator in ("softmax", "log_softmax", "hardmax"):
        expected |= {f"{operator} {shape} float32" for shape in shapes}
        expected.add(f"{operator} (4096, 4096) float32 sigma=100")
        for dtype in ("float64", "float16", "bfloat16"):
            expected |= {
                f"{operator} {shape} {dtype}" for shape in ("(64, 1000)", "(4096, 1000)", "(24576, 128)")
            }
        expected |= {f"{operator} (256, 50257) {dtype}" for dtype in ("float16", "bfloat16")}
    expected |= {
        "sigmoid (65536,) float32",
        "sigmoid (4194304,) float32",
        "softmax_grad (4096, 1000) float32",
    }
    expected |= {
        f"{op} {s} float32" for op in ("logsumexp", "cross_entropy") for s in ("(4096, 1000)", "(512, 50257)")
    }
    expected |= {f"softmax {shape} float32 in place" for shape in ("(64, 1000)", "(4096, 1000)")}
    names = [workload.name for workload in module("workloads").WORKLOADS]
    assert len(names) == len(set(names))
    assert set(names) == expected


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("", 90),
        ("CROSS_entropy", 2),
        ("sigma=100", 3),
        ("softmax (1, 10)", 2),
        ("log*axis", 3),
        ("in place", 2),
        ("no such", 0),
    ],
)
def test_a_pattern_is_part_of_a_name(module, pattern, count):
    assert len(module("runner").select([pattern])) == count


@pytest.mark.parametrize(
    ("operator", "numbers_in", "numbers_out", "labels"),
    [
        ("softmax", 24, 24, 0),
        ("softmax_grad", 48, 24, 0),
        ("logsumexp", 24, 6, 0),
        ("cross_entropy", 24, 0, 6),
    ],
)
def test_the_least_traffic_counts_each_array_once(module, operator, numbers_in, numbers_out, labels):
    workload = module("workloads").Workload(operator, (6, 4))
    assert workload.least_bytes == 4 * (numbers_in + numbers_out) + 8 * labels


@pytest.mark.parametrize("wrong", [[0.5, 0.501, 0.0], [0.5, math.nan, 0.0], [0.5, 0.5]])
def test_a_wrong_result_is_told(module, wrong):
    differs = module("runner").differs
    expected = np.array([0.5, 0.5, 0.0])
    assert differs(expected * (1 + 5e-4), expected, "float32") is None
    assert "wrong result" in differs(np.array(wrong), expected, "float32")


def test_a_library_that_fails_or_errs_is_left_out_and_the_others_are_timed(module):
    peer, runner = module("peers.peer"), module("runner")

    class Failing(peer.Peer):
        name = "failing"

        def prepare(self, workload, inputs, threads):
            message = "no memory\nand more"
            raise RuntimeError(message)

    class Wrong(peer.Peer):
        name = "wrong"

        def prepare(self, workload, inputs, threads):
            return peer.returning(lambda: inputs.x, np.asarray)

    workload = module("workloads").Workload("softmax", (3, 5))
    row = runner.run_row(workload, 1, [Failing(), Wrong()], module("timing").QUICK)
    assert row.ours > 0
    assert row.seconds["failing"] is None
    assert row.seconds["wrong"] is None
    assert row.notes["failing"] == "RuntimeError: no memory"
    assert row.notes["wrong"].startswith("wrong result")


def test_a_row_is_lost_to_a_faster_peer_and_none_without_ours(module):
    results = module("results")
    rows = [
        results.Row("a", 1, {"softops": 2.0, "p": 1.0, "q": 3.0}, 1.0),
        results.Row("b", 1, {"softops": 1.0, "p": 8.0, "q": None}, 1.0),
        results.Row("c", 1, {"softops": None, "p": 1.0, "q": None}, 1.0),
        results.Row("d", 2, {"softops": 1.0, "p": None, "q": None}, 1.0),
    ]
    assert [row.ratio for row in rows] == [0.5, 8.0, None, None]
    assert [row.best_peer for row in rows] == ["p", "p", "p", None]
    summary = results.summary(rows, 1)
    assert summary == {"geometric_mean": pytest.approx(2.0), "compared": 2, "lost": ["a"]}


def test_a_quick_run_writes_json_page_and_plot(tmp_path):
    docs, data, picture = tmp_path / "docs" / "benchmarks.md", tmp_path / "r.json", tmp_path / "p.png"
    names = ["softmax (1, 10) float32", "log_softmax (1, 10) float32"]
    options = [
        "--quick",
        "--rounds",
        "1",
        "--threads",
        "1",
        "--only",
        names[0],
        "--only",
        "call: softmax (1, 10)",
    ]
    files = ["--json", data, "--plot", picture, "--docs", docs]
    command = [sys.executable, "-m", "benchmarks", *options, *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(data.read_text(encoding="utf-8"))
    assert [row["workload"] for row in results["rows"]] == names
    assert all(row["seconds"]["softops"] > 0 and row["copy_share"] > 0 for row in results["rows"])
    # onnxruntime is a dependency, so there is always a peer
    assert all(row["ratio"] > 0 and row["best_peer"] in results["versions"] for row in results["rows"])
    assert {"cpu", "cores", "date", "command", "versions", "threads", "summary"} <= results.keys()
    text = docs.read_text(encoding="utf-8")
    assert text.startswith("<!-- Generated by `python -m benchmarks.page")
    assert str(tmp_path) not in text + data.read_text(encoding="utf-8")
    assert f"| {results['instruction_set']}" in text
    for name in (*names, "call: softmax (1, 10) with out="):
        assert name in text
        assert name in done.stdout
    pictures = [file for file in docs.parent.iterdir() if file != docs]
    assert all(ET.parse(file).getroot().tag.endswith("svg") for file in pictures)
    # one for this run, and one for each committed run of another instruction set
    assert len(pictures) == text.count("\n![") >= 1
    assert all(f"({file.name})" in text for file in pictures)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_name_and_too_many_threads_are_refused(tmp_path):
    for options, text in ((["--only", "nothing"], "nothing"), (["--threads", "4096"], "4096")):
        command = [sys.executable, "-m", "benchmarks", "--json", str(tmp_path / "r.json"), *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert text in done.stderr
        assert not list(tmp_path.iterdir())
