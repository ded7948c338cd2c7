"""docs/tour.md tells of names where they are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUR = (ROOT / "docs" / "tour.md").read_text("utf-8")
STOPS = [
    (file, name)
    for file, names in re.findall(r"^\| \d+ \| `([\w/]+\.py)` \| ([^|]+) \|", TOUR, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
]


def defined_in(file):
    body = ast.parse((ROOT / "numba_kernels" / file).read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_a_stop_is_where_the_tour_says(file, name):
    assert name in defined_in(file)


def test_every_file_that_is_named_exists():
    for file in re.findall(r"`((?:\w+/)*\w+\.(?:py|md))`", TOUR):
        place = ROOT / file if file.startswith("tests/") else ROOT / "numba_kernels" / file
        assert place.exists(), file


def test_it_fits_on_a_screen():
    assert len(STOPS) > 15
    assert len(TOUR.splitlines()) <= 45
