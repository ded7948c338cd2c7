"""`softops demo` from outside: what it prints, the model and the page it leaves."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.cli.demo.command import SEED
from softops.cli.demo.digits import load_digits, split_digits
from softops.cli.main import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run in an empty folder, without --out."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [Path(sys.executable).with_name("softops"), "demo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return SimpleNamespace(
        code=done.returncode, out=done.stdout, err=done.stderr, folder=folder / "softops-demo"
    )


@pytest.fixture(scope="module")
def held_out():
    return split_digits(load_digits(), seed=SEED)[1]


@pytest.fixture(scope="module")
def page(demo):
    return (demo.folder / "report.html").read_text("utf-8")


def test_it_succeeds_and_says_that_the_two_agree(demo):
    assert (demo.code, demo.err) == (0, "")
    assert "onnxruntime and softops agree" in demo.out


def test_it_leaves_the_model_and_the_page_and_nothing_else(demo):
    assert sorted(path.name for path in demo.folder.iterdir()) == ["digits.onnx", "report.html"]
    for name in ("digits.onnx", "report.html"):
        assert str(Path("softops-demo", name)) in demo.out


def test_the_model_reads_digits_it_was_not_trained_on(demo, held_out):
    session = onnxruntime.InferenceSession(demo.folder / "digits.onnx")
    label, probabilities = session.run(None, {"features": held_out.features})
    accuracy = (label == held_out.labels).mean()
    assert accuracy >= 0.95
    assert f"{100 * accuracy:.1f} %" in demo.out
    np.testing.assert_array_equal(probabilities.argmax(1), label)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_the_model_is_valid_and_its_batch_is_open(demo):
    model = onnx.load(demo.folder / "digits.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_terminal_names_error_and_time_of_both(demo):
    for output in ("label", "probabilities"):
        assert re.search(rf"^ ?{output} ", demo.out, re.MULTILINE)
    for runtime in ("onnxruntime", "softops"):
        assert re.search(rf"{runtime} [\d.,]+ ULP", demo.out)
        assert re.search(rf"{runtime} [\d.,]+ ms", demo.out)
    assert max(map(len, demo.out.splitlines())) <= 80


class _Elements(HTMLParser):
    """Collects start tags with their attributes, and complains of tags that are not closed in turn."""

    EMPTY = frozenset({"meta", "br", "link"})

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_has_table_plot_and_digits(page):
    elements = _Elements(page).found
    tags = [tag for tag, _ in elements]
    assert "table" in tags
    pictures = [attrs["aria-label"] for tag, attrs in elements if tag == "svg" and "role" in attrs]
    assert sum(label.startswith("a handwritten ") for label in pictures) >= 3
    assert pictures[-2:] == ["Mean training loss", "probabilities: share of the elements, %"]
    assert tags.count("polyline") == 1


def test_the_curve_falls_from_the_top_of_the_plot(page):
    (points,) = (attrs["points"] for tag, attrs in _Elements(page).found if tag == "polyline")
    x, y = np.array([point.split(",") for point in points.split()], float).T
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == (0, 100)
    assert y[0] == y.min() == 0  # the largest loss is the first
    assert y[0] < y[len(y) // 2] < y[-1] < 100  # the loss of 0 is at 100


def test_digits_and_accuracy_come_first(page):
    texts = [
        " are read right",
        ", read right",
        "Mean training loss",
        "computes this model right",
        "furthest apart",
    ]
    assert [page.index(text) for text in texts] == sorted(page.index(text) for text in texts)


def test_each_figure_says_what_it_is_the_worst_of(page):
    """One softmax has an error against the exact value, and a distance from another; they are not called the same."""
    assert "worst" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    (told,) = re.findall(
        r"against the exact softmax of the logits it was computed from:\s*([\d.]+) ULP", page
    )
    row = page[page.index('<table class="cards steps">') :].split("<tr><td")[2]
    assert re.findall(r'data-of="largest error, ULP">([\d.]+)<', row) == [told]


def test_the_page_loads_nothing_from_elsewhere(page):
    for tag, attrs in _Elements(page).found:
        assert tag not in {"script", "link", "iframe"}
        for name in ("src", "srcset", "href", "xlink:href", "data"):
            assert attrs.get(name, "data:").startswith("data:")
    assert "http" not in page
    assert "@import" not in page
    assert set(re.findall(r"url\(([^)]{0,5})", page)) == set()


def test_the_bars_of_a_digit_are_its_probabilities(demo, page, held_out):
    session = onnxruntime.InferenceSession(demo.folder / "digits.onnx")
    probabilities = session.run(["probabilities"], {"features": held_out.features})[0]
    possible = {tuple(f"{100 * p:.1f}" for p in row) for row in probabilities.tolist()}
    shown = np.reshape(re.findall(r'<i style="width: ([\d.]+)%">', page), (-1, 10))
    assert len(shown) >= 3
    assert {tuple(row) for row in shown.tolist()} <= possible


@pytest.mark.parametrize("out", ["file", "file/folder", "/dev/null/folder"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("precious")
    assert run(["demo", "--out", out]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("softops: expected --out to be a folder")
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert Path("file").read_text() == "precious"


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path, monkeypatch, capsys):
    # Asked through os.access: for a privileged user every folder can be written to.
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)
    assert run(["demo", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "can be written to" in said.err
