"""Every example runs, and prints what its page says, but for the numbers."""

import re
from pathlib import Path

import pytest

from tools.examples import EXAMPLES, output_of, section

PAGE = (Path(__file__).parents[1] / "docs" / "examples.md").read_text(encoding="utf-8")

NEEDS = {"published_model": "magika", "decoding": "torch"}


def without_numbers(text):
    return re.sub(r"[-+]?\d[\d.,e+-]*", "#", text)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_what_the_page_says(example):
    if example.stem in NEEDS:
        pytest.importorskip(NEEDS[example.stem])
    assert without_numbers(section(example, output_of(example))) in without_numbers(PAGE)


def test_every_example_is_on_the_page():
    assert re.findall(r'--8<-- "examples/(.*)"', PAGE) == [example.name for example in EXAMPLES]
