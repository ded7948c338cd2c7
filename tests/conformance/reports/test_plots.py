"""Pictures of a page: their scales, and how they look in a browser at the width of a desk and of a phone."""

import itertools
import math
import re

import pytest
from chromium import Page, executable

from softops.conformance.reports.page import environment
from softops.conformance.reports.plots import bars, line, round_numbers

browser = pytest.mark.skipif(executable() is None, reason="no Chromium is installed to look at pictures with")

PAGE = """{% extends "base.html" %}{% import "plots.html" as plots %}
{% block style %}{{ plots.style() }}{% endblock %}
{% block content %}{% for picture in pictures %}{{ picture }}{% endfor %}{% endblock %}"""
LABELS = """[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('text[text-anchor=middle]')]
    .filter(t => t.checkVisibility()).map(t => t.getBoundingClientRect())
    .map(r => [r.left, r.right, f.getBoundingClientRect().right]))"""
COLOURS = """['rect', 'text', 'figure'].map(e => getComputedStyle(document.querySelector(e)))
    .map((s, n) => n < 2 ? s.fill : s.backgroundColor)"""


@pytest.mark.parametrize("top", [1e-9, 0.07, 0.99, 1, 1.63, 2, 7.4, 9.99, 29.1, 99.9, 100, 12345.0])
def test_numbers_of_an_axis_are_round_and_few(top):
    numbers = round_numbers(top)
    assert numbers[0] == 0
    assert 3 <= len(numbers) <= 6
    assert 0.5 * top < numbers[-1] <= top * (1 + 1e-9)
    step = numbers[1]
    assert [round(number / step, 9) for number in numbers] == list(range(len(numbers)))
    assert round(step / 10.0 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)


def test_texts_stay_texts():
    odd = '<b>&"$x^2$ \u540d\x1b'
    for picture in (bars(odd, [odd, odd], [(odd, [1, 2])], odd), line(odd, [1, 2], (odd, odd), [(0, odd)])):
        assert "<b>" not in picture
        assert "&lt;b&gt;&amp;&#34;$x^2$" in picture


def test_values_of_zero_alone_are_drawn():
    assert "NaN" not in bars("none", ["0"], [("a", [0.0])], "")
    assert re.findall(r'points="(.*?)"', line("none", [0.0, 0.0], ("", ""))) == ["0.00,100.00 100.00,100.00 "]


def test_the_curve_runs_from_the_left_to_the_right_and_the_largest_is_on_top():
    (points,) = re.findall(r'points="(.*?)"', line("fall", [4, 2, 0], ("", "")))
    assert points.split() == ["0.00,0.00", "50.00,50.00", "100.00,100.00"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    names = [
        "0",
        "1",
        "2",
        "3\N{EN DASH}4",
        "5\N{EN DASH}8",
        *(f"{2**k + 1}\N{EN DASH}{2 ** (k + 1)}" for k in range(3, 10)),
    ]
    pictures = [
        bars("some", count, [("here", [1.0] * len(count)), ("there", [0.5] * len(count))], "ULP")
        for count in (
            names[:3],
            names[:7],
            names,
            [*names, *(f"\N{LESS-THAN OR EQUAL TO}2^{k}" for k in range(11, 65)), "NaN"],
        )
    ]
    pictures.append(line("curve", [3, 2, 1], ("first", "last")))
    (folder / "p.html").write_text(
        environment().from_string(PAGE).render(title="p", pictures=pictures), "utf-8"
    )
    shown = Page(folder / "profile")
    shown.open(folder / "p.html")
    yield shown
    shown.close()


@browser
@pytest.mark.parametrize("width", [390, 1280])
def test_labels_do_not_overlap_and_nothing_is_cut_off(page, width):
    page.look(width)
    assert page.ask("document.documentElement.scrollWidth") <= width
    found = page.ask(LABELS)
    assert len(found) == 5
    for labels in found[:4]:
        assert len(labels) >= 3
        assert all(right + 4 <= end for _, right, end in labels)
        for (_, right, _), (left, _, _) in itertools.pairwise(labels):
            assert left - right >= 4
    assert (
        page.ask(
            "Math.max(...[...document.querySelectorAll('text')].map(t => t.getBoundingClientRect().right))"
        )
        <= width
    )


@browser
def test_text_is_of_the_same_size_on_a_phone_and_on_a_desk(page):
    heights = []
    for width in (390, 1280):
        page.look(width)
        heights.append(page.ask("document.querySelector('text').getBoundingClientRect().height"))
    assert heights[0] == heights[1] > 10


@browser
def test_colours_follow_the_scheme(page):
    page.look(scheme="light")
    light = page.ask(COLOURS)
    page.look(scheme="dark")
    dark = page.ask(COLOURS)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    brightness = [
        [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours] for colours in (light, dark)
    ]
    assert brightness[0][0] < brightness[0][2]  # bars are darker than the ground by day, and lighter by night
    assert brightness[1][0] > brightness[1][2]
