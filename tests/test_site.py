"""The pages of the site: their examples run, every page is in the navigation, every public name in the reference."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from softops.cli.main import run
from tools import reference

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("how_to/*.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path, monkeypatch):
    """In the order of the page: Python, and the commands on files that the page has written by then."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for python, command in re.findall(
        r"^```python\n(.*?)^```|^    softops ([^\n]*)$",
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    ):
        words = shlex.split(command)
        if python:
            exec(compile(python, str(path), "exec"), names)
        elif any(Path(word).exists() for word in words):
            assert run(words) == 0


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r"([\w./]+\.md)", (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")))
    assert named == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


@pytest.mark.parametrize("package", reference.PAGES)
def test_reference_has_every_public_name(package):
    """In one group each, and the committed page is the one that is generated."""
    _, groups = reference.PAGES[package]
    listed = [name for names in groups.values() for name in names.split()]
    assert sorted(listed) == sorted(importlib.import_module(f"softops.{package}").__all__)
    page = (DOCS / "reference" / f"{package}.md").read_text(encoding="utf-8")
    assert page == reference.page(package)


def test_reference_has_every_command():
    page = (DOCS / "reference" / "command_line.md").read_text(encoding="utf-8")
    assert page == reference.command_line()
