"""`--report` of every command: what it takes, and what it refuses before any work is done."""

import numpy as np
import pytest
from refusals import refused
from typer.main import get_command

from softops.cli.main import app, run
from softops.export import classifier_head

COMMANDS = {
    "validate": ["validate", "head.onnx"],
    "validate --dataset": ["validate", "head.onnx", "--dataset", "set.npz"],
    "validate --expected": ["validate", "head.onnx", "--inputs", "set.npz", "--expected", "out.npz"],
    "noise": ["noise", "head.onnx"],
    "conformance": ["conformance", "--runtime", "softops", "--ops", "Hardmax", "--quick"],
    "conformance check": ["conformance", "check", "dumped"],
}
command = pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classifier_head(np.eye(3), path="head.onnx")
    (tmp_path / "dumped").mkdir()
    return tmp_path


def commands(group, name=""):
    yield name.strip(), group
    for inner, found in getattr(group, "commands", {}).items():
        yield from commands(found, f"{name} {inner}")


def test_these_are_all_that_have_it():
    having = {
        name for name, found in commands(get_command(app)) if any("--report" in p.opts for p in found.params)
    }
    assert having == {name.split(" --")[0] for name in COMMANDS}


@command
@pytest.mark.parametrize("name", ["x.pdf", "found/x.PNG", "r.xlsx"])
def test_a_form_that_nothing_writes_is_refused_before_the_work(folder, capsys, arguments, name):
    (folder / "found").mkdir()
    error = refused([*arguments, "--report", name], capsys)
    assert name in error
    assert "folder" in error
    if arguments[0] != "conformance":
        assert ".html, .json, .md" in error
    assert sorted(path.name for path in folder.rglob("*")) == ["dumped", "found", "head.onnx"]


@pytest.mark.parametrize("name", ["x.html", "x.json", "report.md"])
def test_the_suite_writes_no_single_file(folder, capsys, name):
    assert "name a folder" in refused([*COMMANDS["conformance"], "--report", name], capsys)


@pytest.mark.parametrize("name", ["found", "onnxruntime-1.32.0", "there.pdf"])
def test_a_folder_may_have_a_version_or_be_there(folder, name):
    (folder / "there.pdf").mkdir()
    assert run([*COMMANDS["noise"], "--report", name]) == 0
    assert {path.name for path in (folder / name).iterdir()} == {"report.html", "report.json", "report.md"}
