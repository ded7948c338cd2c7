"""The README's examples, run as written, one after another in one folder."""

import re
import shlex
from pathlib import Path

import pytest

from softops.cli.main import run

README = Path(__file__).resolve().parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = re.findall(r"^    softops (.*)$", TEXT, flags=re.MULTILINE)


def test_three_examples_of_about_five_lines() -> None:
    assert len(EXAMPLES) == 3
    assert all(len([line for line in example.splitlines() if line]) <= 5 for example in EXAMPLES)


def test_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, str(README), "exec"), names)
    probabilities = names["probabilities"]
    assert abs(probabilities.sum(axis=1) - 1).max() < 1e-6  # type: ignore[attr-defined]
    assert (tmp_path / "head.onnx").stat().st_size > 0
    assert capsys.readouterr().out.startswith("True ")

    assert {command.split()[0] for command in COMMANDS} == {"noise", "inspect", "convert", "operators"}
    for command in COMMANDS:
        assert run(shlex.split(command)) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "opset 17 → 12" in shown.out
