"""The words that options take: those of the packages, named by --help, and no others."""

import re
from typing import get_args

import pytest

from softops.cli.main import run
from softops.cli.terminal import words
from softops.conformance.models.noise import ComputedIn
from softops.conformance.verdicts.rules import Bound
from softops.export.builder.options import DTYPES
from softops.export.heads.softmax import Activation
from softops.export.surgery.append import Appended
from softops.export.surgery.exchange import Replacement

OPTIONS = {
    ("export", "head"): {"--activation": Activation, "--dtype": ComputedIn},
    ("export", "append"): {"--activation": Appended},
    ("export", "replace"): {"--activation": Replacement},
    ("noise",): {"--dtype": ComputedIn},
    ("validate",): {"--dtype": ComputedIn},
    ("conformance",): {"--bound": Bound},
    ("conformance", "check"): {"--bound": Bound},
}
CASES = [(command, option) for command, options in OPTIONS.items() for option in options]
options = pytest.mark.parametrize(("command", "option"), CASES, ids=lambda value: str(value))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (words.Activation, Activation),
        (words.Appended, Appended),
        (words.Replacement, Replacement),
        (words.Dtype, ComputedIn),
        (words.Bound, Bound),
    ],
    ids=lambda words: " ".join(get_args(words)),
)
def test_they_are_those_of_the_packages(ours, theirs):
    assert get_args(ours) == get_args(theirs)


def test_heads_are_written_in_these_dtypes():
    assert {dtype.name for dtype in DTYPES} == set(get_args(ComputedIn))


@options
def test_help_names_them(command, option, capsys):
    assert run([*command, "--help"]) == 0
    text = "".join(capsys.readouterr().out.split())
    words = re.escape("|".join(get_args(OPTIONS[command][option])))
    assert re.search(
        rf"{option}[\[<]{words}[\]>]", text
    )  # in brackets of this or that kind, by click's version


@options
def test_another_word_is_refused_in_a_line_that_names_them(command, option, capsys):
    assert run([*command, option, "sofmax"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "'sofmax'" in error
    assert all(f"'{word}'" in error for word in get_args(OPTIONS[command][option]))
