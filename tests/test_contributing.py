"""The places that docs/contributing.md sends people to exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")
NEW = {"opset/operators/swish.py"}  # what the worked examples add
PLACES = set(
    re.findall(
        r"`((?:numba_kernels|opset|export|conformance|tools|tests|docs)/[\w/.-]+\.(?:py|md|json))`", PAGE
    )
)


@pytest.mark.parametrize("place", sorted(PLACES - NEW))
def test_a_place_exists(place):
    if "NAME" not in place and "FAMILY" not in place:
        assert (ROOT / place).exists()


def test_each_kind_of_addition_has_its_list():
    wanted = {
        "An operator",
        "A dtype",
        "A head",
        "A runtime",
        "A lint warning",
        "A report format",
        "A known deviation",
    }
    assert wanted <= set(re.findall(r"^### (.+)$", PAGE, re.MULTILINE))
