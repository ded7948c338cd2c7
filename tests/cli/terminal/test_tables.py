"""Numbers and tables as the terminal shows them."""

import io

import pytest
from rich.console import Console

from softops.cli.terminal.bar import Bar
from softops.cli.terminal.tables import apart_table, share, ulp
from softops.conformance import validate
from softops.export import classifier_head


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (1.75, "1.75"),
        (999.999, "1,000.00"),
        (1234.5, "1,234"),
        (3, "3"),
        (2e9, "> 1e+09"),
    ],
)
def test_units_in_the_last_place(count, shown):
    assert ulp(count) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (None, "-"),
        (0, "0.0 %"),
        (0.5, "50.0 %"),
        (0.99999, "99.9 %"),
        (1, "100 %"),
        (2.5, "250.0 %"),
        (101, "> 10000 %"),
    ],
)
def test_shares(part, shown):
    """100 % only when it is all of it."""
    assert share(part) == shown


@pytest.mark.parametrize(("width", "columns"), [(80, ["mean ULP", "agree"]), (60, ["agree"])])
def test_a_narrow_terminal_has_room_for_what_matters(width, columns):
    report = validate(classifier_head([[1.0, 2.0], [3.0, 4.0]], dtype="float32"), "softops")
    out = io.StringIO()
    Console(file=out, width=width).print(apart_table("one against another", report.apart, width))
    text = out.getvalue()
    assert [name for name in ("mean ULP", "agree") if name in text] == columns
    assert "probabilities" in text
    assert max(map(len, text.splitlines())) <= width


def test_no_bar_where_there_is_no_terminal(capsys):
    with Bar() as bar:
        bar(1, 2, "half")
    assert capsys.readouterr() == ("", "")
