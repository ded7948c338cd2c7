"""Every kind of warning is written down for the reader, and tested."""

import re
from pathlib import Path

import pytest

from softops.opset import lint
from softops.opset.lint.report import OF_MODELS
from softops.opset.lint.rules import OF_FAMILY, OF_OTHERS
from softops.opset.lint.validity import OF_SCOPES

CODES = sorted({*OF_SCOPES, *OF_FAMILY, *OF_OTHERS, *OF_MODELS})
TESTS = [path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py") if path != Path(__file__)]


def test_the_documentation_names_each_code_and_no_other():
    _, table, _ = re.split(r"(?m)^ *=+ =+\n.*said of\n *=+ =+$|^ *=+ =+$", lint.__doc__, maxsplit=2)
    assert sorted(re.findall(r"(?m)^ {4}([a-z-]+) ", table)) == CODES


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_test_that_expects_it(code):
    assert any(f'"{code}"' in text for text in TESTS)
