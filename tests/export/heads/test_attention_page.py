"""docs/attention.md: its code runs, and its table has every argument."""

import inspect
import re
from pathlib import Path

from softops.export import attention
from softops.opset import operator

PAGE = Path(__file__).parents[3].joinpath("docs", "attention.md").read_text(encoding="utf-8")


def test_the_code_runs():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/attention.md", "exec"), {})


def test_every_argument_is_in_the_table():
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(inspect.signature(attention).parameters) - {"options"}


def test_what_is_left_open_is_said_where_the_page_says():
    assert operator("Attention", 25).notes
