"""The page of the suite, looked at in a browser."""

import base64
import io
import json
import re

import numpy as np
import pytest
from chromium import Page, executable
from findings import CASE, case, findings, record
from PIL import Image
from planted import Planted, after, along_row, softmax

from softops import conformance
from softops.conformance.reports.suite_html import render_html
from softops.conformance.suite.report import SuiteReport


def along_one_axis(x, node):
    return softmax(x, node.axis)


FAULTS = {
    "axis": ({"Softmax": along_one_axis}, "as if the axis rule of opset 13 held"),
    "sums": (
        {
            "Softmax": along_row(
                lambda x, axis: (
                    (e := np.exp(x - x.max(axis, keepdims=True)))
                    / e.astype(np.float16).sum(axis, keepdims=True, dtype=np.float16).astype(x.dtype)
                )
            )
        },
        "as if the sums were taken in float16",
    ),
    "tail": (
        {"Softmax": after(lambda y: np.where(y < 1e-6, 0 * y, y))},
        "as if results below 1e-06 were set to 0",
    ),
    "none": ({}, "Every case that was compared is right"),
}
browser = pytest.mark.skipif(executable() is None, reason="no Chromium is installed to look at the page with")
SHOWN = "[...document.querySelectorAll({!r})].filter(e => e.checkVisibility()).length"
CELL = "document.querySelector('.matrix button.s-wrong')"


@pytest.fixture(scope="module")
def html():
    return render_html(SuiteReport.from_json(findings().to_json()))


def test_nothing_comes_from_elsewhere_and_words_stay_words(html):
    assert re.findall(r"<(?:link|iframe|img|object|embed)\b|@import|\burl\(|\bsrc=", html) == []
    assert set(re.findall(r'href="([^"]*)"', html)) == {
        "https://example.org/7",
        *(f"reproductions/{slug}/ISSUE.md" for slug in re.findall(r'data-group="kind-([^"]*)"', html)),
    }
    assert "<b>not" not in html
    assert "a&lt;b 1&amp;2" in html
    assert html.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert len(json.loads(data)["cases"]) == 9


def test_a_page_without_comparisons_says_so():
    assert "nothing has passed" in render_html(findings(cases=()))
    assert "nothing has passed" not in render_html(findings())


@pytest.fixture(scope="module")
def shown(html, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(html, "utf-8")
    page = Page(folder / "profile")
    page.path = folder / "report.html"
    yield page
    page.close()


@pytest.fixture
def page(shown):
    shown.look()
    shown.events.clear()
    shown.open(shown.path)
    yield shown
    bad = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in shown.events if event["method"] in bad] == []
    asked = [
        e["params"]["request"]["url"] for e in shown.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("file:")] == []


def picture(page):
    data = base64.b64decode(page.call("Page.captureScreenshot")["data"])
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)


@browser
def test_a_cell_opens_to_its_cases_and_closes(page):
    assert page.ask(SHOWN.format(".opened tbody tr")) == 0
    page.ask(f"{CELL}.click()")
    assert page.ask(f"{CELL}.getAttribute('aria-expanded')") == "true"
    # Two are wrong, which come first, and one is right.
    assert page.ask(
        "[...document.querySelectorAll('.opened tbody tr')].map(e => e.dataset.statuses).join()"
    ) == ("wrong,wrong,right")
    text = page.ask("document.querySelector('.opened').innerText")
    for part in (
        "3.33333333333333333333e-1",
        "0x1.555556p-2",
        "0x1p-2",
        "2 \N{MULTIPLICATION SIGN} 3",
        "<b>not & bold</b>",
    ):
        assert part in text
    page.ask(f"{CELL}.click()")
    assert page.ask(SHOWN.format(".opened")) == 0


@browser
def test_the_keyboard_does_what_the_mouse_does(page):
    page.ask(f"{CELL}.focus()")
    page.press("Enter", 13, "\r")
    assert page.ask(SHOWN.format(".opened tbody tr")) == 3
    page.ask("document.querySelector('#filter input[value=wrong]').focus()")
    page.press(" ", 32, " ")
    assert page.ask("document.querySelector('#filter input[value=wrong]').checked") is False
    assert page.ask(SHOWN.format(".opened tbody tr")) == 1


@browser
def test_the_filter_hides_what_is_not_asked_for(page):
    for status in ("harness failed", "crashed", "hung", "known", "right", "unsupported"):
        page.ask(f"document.querySelector('#filter input[value=\"{status}\"]').click()")
    assert page.ask(SHOWN.format(".kind")) == 1
    assert page.ask("document.querySelectorAll('.matrix button:not(.faded)').length") == 1
    page.ask(f"{CELL}.click()")
    assert page.ask(
        "[...document.querySelectorAll('.opened tbody tr')].map(e => e.dataset.statuses).join()"
    ) == ("wrong,wrong")
    page.ask("document.querySelector('.kind:not([hidden]) summary').click()")
    page.call("Runtime.evaluate", expression="new Promise(requestAnimationFrame)", awaitPromise=True)
    assert page.ask(SHOWN.format(".kind details tbody tr")) == 2
    page.ask("document.querySelector('#filter input[value=wrong]').click()")
    assert page.ask(SHOWN.format(".kind")) == 0
    assert "hides all" in page.ask("document.querySelector('.opened').innerText")


@browser
def test_the_filter_changes_the_labels(page):
    label = f"[...{CELL}.querySelectorAll('[data-status]')].map(e => e.innerText).join(', ')"
    mixed = "document.querySelector('.matrix button.s-wrong')"
    assert page.ask(label) == "\N{MULTIPLICATION SIGN} 2, \N{CHECK MARK} 1"
    group = page.ask(f"{mixed}.dataset.group")
    same = f"document.querySelector('[data-group=\"{group}\"]')"
    page.ask("document.querySelector('#filter input[value=wrong]').click()")
    assert page.ask(f"{same}.className") == "s-right"
    assert page.ask(f"{same}.getAttribute('aria-label')").endswith(": 1 right")
    page.ask("document.querySelector('#filter input[value=right]').click()")
    assert "faded" in page.ask(f"{same}.className")


@browser
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("fault", ["axis", "sums", "tail", "none"])
def test_what_is_wrong_is_above_the_fold(fault, width, height, tmp_path):
    faults, words = FAULTS[fault]
    asked = {"ops": ["Softmax", "Hardmax"], "dtypes": ["float32"], "families": ["gaussian-30", "ties"]}
    render = render_html(conformance.run(Planted(**faults), **asked))
    (tmp_path / "report.html").write_text(render, "utf-8")
    page = Page(tmp_path / "profile")
    try:
        page.look(width=width, height=height)
        page.open(tmp_path / "report.html")
        page.ask(
            "window.lowest = (...chosen) => "
            "Math.max(...chosen.map(c => document.querySelector(c).getBoundingClientRect().bottom))"
        )
        first = ".causes li" if faults else ".fine"
        assert words in page.ask(f"document.querySelector({first!r}).innerText")
        assert page.ask(f"lowest('h1', '.verdict', {first!r})") < height
        assert ("not passed" in page.ask("document.querySelector('.verdict').innerText")) == bool(faults)
        assert page.ask("document.documentElement.scrollWidth") <= width
        if width > 1000:
            assert page.ask("lowest('.matrix')") < height
    finally:
        page.close()


@browser
def test_a_phone_needs_no_scrolling_sideways(page):
    page.look(width=360, height=740)
    page.ask(f"{CELL}.click(); document.querySelectorAll('details').forEach(e => e.open = true)")
    page.call("Runtime.evaluate", expression="new Promise(requestAnimationFrame)", awaitPromise=True)
    assert page.ask("document.documentElement.scrollWidth") == 360
    # What a cell opens to lies within the screen as well.
    assert page.ask("document.querySelector('.panel').getBoundingClientRect().right") <= 360
    assert page.ask("document.querySelector('.opened .cards').scrollWidth") <= 360


@browser
def test_dark_is_dark_and_light_is_light(page):
    light = picture(page)
    page.look(scheme="dark")
    dark = picture(page)
    assert np.median(light) > 230
    assert np.median(dark) < 50
    # Ink that cannot be told from the ground would leave a page of one colour.
    assert min(light.std(), dark.std()) > 5


CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const pixel = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [r, g, b] = color.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const found = pixel(getComputedStyle(e).backgroundColor);
    return found[3] || !e.parentElement ? found : ground(e.parentElement);
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest("svg")) continue;
    const [a, b] = [light(pixel(getComputedStyle(e).color).slice(0, 3)), light(ground(e).slice(0, 3))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""


@browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_asks_for(page, scheme):
    page.look(scheme=scheme)
    page.ask(f"{CELL}.click()")
    assert page.ask(CONTRAST) == []  # WCAG 2.2, 1.4.3: 4.5 to 1


@browser
def test_it_can_be_read_without_colours_or_eyes(page):
    names = "[...document.querySelectorAll('.matrix button')].map(e => e.getAttribute('aria-label')).sort()"
    assert page.ask(f"{names}[0]") == "Hardmax opset 11 float32: 1 hung"
    # Signs of their own besides colours, and numbers.
    parts = "[...document.querySelectorAll('.matrix button [data-status]')]"
    assert page.ask(f"{parts}.every(e => /^[^\\w\\s] \\d+$/.test(e.innerText))")
    assert page.ask("[...document.querySelectorAll('th')].every(e => e.scope)")
    assert page.ask(
        "[...document.querySelectorAll('#filter input')].every(e => e.closest('label').innerText)"
    )
    assert page.ask("[...document.querySelectorAll('svg')].every(e => e.getAttribute('aria-label'))")
    assert page.ask("document.documentElement.lang") == "en"


@browser
def test_print_leaves_out_what_paper_cannot_do(page):
    page.look(medium="print")
    assert page.ask(SHOWN.format("#filter")) == 0
    assert page.ask(SHOWN.format(".matrix button")) == 7
    assert page.ask(SHOWN.format(".kind")) == 5
    paper = base64.b64decode(page.call("Page.printToPDF")["data"])
    assert paper.startswith(b"%PDF-")


@browser
def test_the_dark_is_not_printed(page):
    ink = "getComputedStyle(document.body).color + getComputedStyle(document.querySelector('.chip')).backgroundColor"
    light = page.ask(ink)
    page.look(scheme="dark")
    assert page.ask(ink) != light
    page.look(scheme="dark", medium="print")
    assert page.ask(ink) == light


@browser
@pytest.mark.parametrize("width", [360, 1100])
def test_long_names_stay_in_their_column(tmp_path, width):
    names = ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", "ReduceLogSumExp")
    long = case(op="QLinearSoftmax", domain="com.microsoft")
    listed = [record("right", case(op=name)) for name in names] + [record("right", long)]
    (tmp_path / "report.html").write_text(render_html(findings(cases=tuple(listed))), "utf-8")
    page = Page(tmp_path / "profile")
    try:
        page.look(width=width)
        page.open(tmp_path / "report.html")
        heads = "[...document.querySelectorAll('.matrix tbody th')]"
        assert page.ask(f"{heads}.length") == 4
        assert (
            page.ask(f"{heads}.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText).join()") == ""
        )
    finally:
        page.close()


@browser
def test_what_all_cases_share_is_said_once(page):
    page.ask(f"{CELL}.click()")
    head = page.ask("[...document.querySelectorAll('.opened th')].map(e => e.innerText).join()")
    assert "inputs" not in head
    assert "shape" in head
    assert "inputs gaussian-3; graph plain" in page.ask("document.querySelector('.shared').innerText")


@browser
def test_many_cases_come_in_portions(tmp_path):
    (tmp_path / "report.html").write_text(
        render_html(findings(cases=tuple(record("right", CASE) for _ in range(450)))), "utf-8"
    )
    page = Page(tmp_path / "profile")
    try:
        page.open(tmp_path / "report.html")
        page.ask("document.querySelector('.matrix button').click()")
        found = [page.ask(SHOWN.format(".opened tbody tr"))]
        for _ in range(2):
            page.ask("document.querySelector('.more').click()")
            found.append(page.ask(SHOWN.format(".opened tbody tr")))
        assert found == [200, 400, 450]
        assert page.ask(SHOWN.format(".more")) == 0
    finally:
        page.close()


@pytest.mark.parametrize("exponent", [-1, 0, 3, 10, 11, 14, 15, 40, 64])
def test_a_bar_says_up_to_how_many_ulp_it_goes(exponent):
    html = render_html(
        findings(cases=(record("right", max_ulp=2.0**exponent, ulp_histogram=((2.0**exponent, 6),)),))
    )
    (power, number), *others = set(re.findall(r"up to (?:2\^([0-9]+)|([0-9.,]+)) ULP", html))
    assert others == []
    if exponent <= 10:
        assert float(number.replace(",", "")) == 2.0**exponent
    else:  # by powers of 16
        assert exponent <= int(power) < exponent + 4
