"""The README's examples, run as written, one after another in one folder; what it links to is there."""

import re
import shlex
from pathlib import Path

import pytest

from softops.cli.main import run

README = Path(__file__).resolve().parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = re.findall(r"^    softops (.*)$", TEXT, flags=re.MULTILINE)


def test_one_screen_with_three_doors_of_about_five_lines() -> None:
    assert len(TEXT.splitlines()) <= 60
    doors = [*EXAMPLES, "\n".join(COMMANDS)]
    assert len(doors) == 3
    assert all(len([line for line in door.splitlines() if line]) <= 8 for door in doors)  # formatted


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert not [link for link in links if not (README.parent / link).exists()]


def test_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, str(README), "exec"), names)
    probabilities = names["probabilities"]
    assert abs(probabilities.sum(axis=1) - 1).max() < 1e-6  # type: ignore[attr-defined]
    assert names["classes"].shape == (64, 32, 32, 1)  # type: ignore[attr-defined]
    assert (tmp_path / "labelled.onnx").stat().st_size > 0

    called = {command.split()[0] for command in COMMANDS}
    assert called == {"conformance", "validate", "noise", "inspect", "convert"}
    for command in COMMANDS:
        assert run(shlex.split(command)) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "opset 17 → 12" in shown.out
