"""No option of a group of commands is taken and forgotten."""

import pytest
import typer.main

from softops.cli.main import app, run
from softops.cli.terminal.groups import CommandGroup

# Options that need a value, with one that is right.
VALUES = {
    "--runtime": "softops",
    "--ops": "Softmax",
    "--opsets": "13",
    "--dtypes": "float32",
    "--families": "ties",
    "--report": "r",
    "--bound": "exact",
    "--seed": "1",
    "--time-limit": "9",
    "--jobs": "1",
    "--dask": "local",
    "--quick": None,
    "--full": None,
}


# Options that answer at once, whatever stands behind them.
AT_ONCE = ("--help", "--version", "--install-completion", "--show-completion")


def groups(command, path=()):
    if hasattr(command, "commands"):
        yield path, command
        for name, inner in command.commands.items():
            yield from groups(inner, (*path, name))


GROUPS = dict(groups(typer.main.get_command(app)))
BEFORE = [
    (path, option, command)
    for path, group in GROUPS.items()
    for option in (max(param.opts, key=len) for param in group.params)
    if option not in AT_ONCE
    for command in group.commands
]


def test_every_group_looks_at_its_options():
    assert {("export",), ("conformance",)} <= GROUPS.keys()
    assert all(isinstance(group, CommandGroup) for group in GROUPS.values())
    assert {option for _, option, _ in BEFORE} == VALUES.keys()


@pytest.mark.parametrize(("path", "option", "command"), BEFORE)
def test_an_option_before_a_command_is_refused(path, option, command, tmp_path, capsys):
    given = [option] if VALUES[option] is None else [option, VALUES[option]]
    assert run([*path, *given, command, str(tmp_path / "new")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"got {option} before {command}" in err
    assert f"softops {' '.join(path)} {command} … {option}" in err
    assert list(tmp_path.iterdir()) == []


def test_options_behind_the_command_reach_it(tmp_path, capsys):
    chosen = ["--ops", "Softmax", "--dtypes", "float32", "--families", "ties", "--opsets", "13", "--quick"]
    assert run(["conformance", "dump", str(tmp_path / "new"), *chosen]) == 0
    folders = [path.name for path in (tmp_path / "new").iterdir() if path.is_dir()]
    assert folders
    assert all("-Softmax-13-float32" in name for name in folders)


def test_options_of_a_run_without_a_runtime_are_refused(capsys):
    assert run(["conformance", "--ops", "Softmax", "--quick"]) == 2
    assert "expected a runtime (got --ops --quick alone)" in capsys.readouterr().err
