"""What the terminal gets of names that it would misread."""

import ast
import io
from pathlib import Path

import pytest
from rich.table import Table

from softops.cli.terminal.bar import Bar
from softops.cli.terminal.console import Console, cell, shown
from softops.cli.terminal.visible import visible

CLI = Path(__file__).parents[3] / "cli"
ODD = {
    "\x1b[5mblink": r"\x1b[5mblink",
    "title\x1b]0;owned\x07": r"title\x1b]0;owned\x07",
    "two\nlines\rback": r"two\nlines\rback",
    "c1 \x9b31m": r"c1 \x9b31m",
    "right to left \u202edesrever": r"right to left \u202edesrever",
    "no width \u200b": r"no width \u200b",
    "half \udcff": r"half \udcff",
    "\u540d \u00e9": "\u540d \u00e9",
    "[red]p[/red] [/no] [link=x]": "[red]p[/red] [/no] [link=x]",
}


@pytest.mark.parametrize(("text", "seen"), ODD.items(), ids=map(ascii, ODD))
def test_what_a_terminal_takes_for_a_command_is_seen(text, seen):
    assert visible(text) == seen
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=200)
    table = Table()
    table.add_column()
    table.add_row(cell(text))
    console.print(shown(text), soft_wrap=True)
    console.print(table)
    assert file.getvalue().splitlines()[0] == seen
    assert seen in file.getvalue().split("\n", 1)[1]


def test_what_was_forgotten_is_seen_all_the_same():
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system=None).print("a\x1b[5mb\nc")
    assert file.getvalue() == "a\\x1b[5mb\nc\n"


class Terminal(io.StringIO):
    """Holds what a terminal is sent."""

    def isatty(self):
        return True


def test_a_bar_is_seen_at_once_and_says_what_it_is_told(monkeypatch):
    sent = Terminal()
    monkeypatch.setattr("sys.stderr", sent)
    monkeypatch.setenv("TERM", "xterm")
    with Bar() as bar:
        untold = sent.getvalue()
        bar(3, 7, "half-way")
    assert "/?" in untold
    assert "half-way" in sent.getvalue()
    assert "3/7" in sent.getvalue()


def test_a_bar_takes_any_name():
    with Bar() as bar:
        bar(1, 2, "[/nothing] \x1b[5m")


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: str(path.relative_to(CLI)))
def test_commands_print_to_that_console_alone(path):
    """Neither rich's console nor its markup is used past it."""
    if path.name == "console.py":
        return
    names = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not names & {
        ("rich.console", "Console"),
        ("rich.markup", "escape"),
        ("rich.text", "Text"),
        ("rich", "print"),
    }
