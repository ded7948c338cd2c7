"""What `help()` of a public function shows: a signature that can be read, on a screen that there is.

A window of 60 rows and 120 columns, as the docstrings are written; for `softmax` a terminal of 50 rows and 80 columns.
The rows are counted with the signature on one line and folded, as pydoc prints it up to Python 3.12.
"""

import inspect
import math

import pytest

from softops import numba_kernels as kernels

HEADING = 2  # of pydoc: where the function is from, and an empty line


def rows(name, columns):
    """How many rows of a terminal the help of a function takes."""
    function = getattr(kernels, name)
    lines = [f"{name}{inspect.signature(function)}"]
    lines += [f"    {line}" for line in inspect.getdoc(function).splitlines()]
    return HEADING + sum(max(1, math.ceil(len(line) / columns)) for line in lines)


def test_softmax_fits_a_terminal():
    assert rows("softmax", 80) <= 50


@pytest.mark.parametrize("name", kernels.__all__)
def test_every_function_fits_a_window(name):
    assert rows(name, 120) <= 60


@pytest.mark.parametrize("name", kernels.__all__)
def test_signatures_name_types_and_do_not_spell_them_out(name):
    text = str(inspect.signature(getattr(kernels, name)))
    assert "numpy._typing" not in text
    assert len(text) <= 7 * 120
