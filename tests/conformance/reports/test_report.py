"""The report as a page, a picture and rows."""

import dataclasses
import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from softops.conformance import validate
from softops.conformance.measure.ulp import NAN_DISTANCE
from softops.conformance.models.differences import Differences
from softops.conformance.reports.page import DASH
from softops.conformance.reports.validation import histograms, render_html, report_table, write_html
from softops.export import classifier_head


class Wrong:
    """A runtime whose probabilities are NaN in one place; its name is not safe in HTML."""

    name, version = "<wrong>", "1 & 2"

    def run(self, model, feeds):
        from softops.opset.backend import prepare

        outputs = prepare(model).run(dict(feeds))
        outputs[1][2, 1] = np.nan
        return outputs


@pytest.fixture(scope="module")
def head():
    return classifier_head(np.random.default_rng(0).standard_normal((4, 6)), dtype="float32")


@pytest.fixture(scope="module")
def right(head):
    return validate(head, batch=9)


@pytest.fixture(scope="module")
def wrong(head):
    return validate(head, Wrong(), batch=9)


def test_rows_hold_the_measures(right, wrong):
    label, probabilities = report_table(right)
    assert (label["output"], label["verdict"], label["max_ulp"], label["equal"]) == (
        "label",
        "right",
        None,
        1,
    )
    assert probabilities["max_ulp"] == right.outputs["probabilities"].max_ulp
    assert 0 < probabilities["bound_used"] <= 1
    assert [row["verdict"] for row in report_table(wrong)] == ["right", "wrong"]


def bars(picture):
    """The bars of a picture: the place of each from the left, its distances, and its share."""
    found = re.findall(r'<rect class="(s\d)" x="([\d.]+)%"[^>]*><title>(.*?): (.*?) %</title>', picture)
    return [(series, float(x), name.replace(DASH, "-"), float(share)) for series, x, name, share in found]


def apart(right, *distances):
    """A report of these distances in ULP, all as often, and of no steps."""
    probabilities = right.outputs["probabilities"]
    ulps = np.array(distances, np.uint64)
    changed = Differences(outputs={"probabilities": dataclasses.replace(probabilities, ulps=ulps)})
    return dataclasses.replace(right, apart=changed, steps=[])


def test_every_bar_is_called_by_its_distances(right):
    expected = {
        0: "0",
        1: "1",
        2: "2",
        3: "3-4",
        4: "3-4",
        5: "5-8",
        8: "5-8",
        1024: "513-1024",
        2**12: "≤2^12",
    }
    expected[NAN_DISTANCE] = "NaN"
    for distance, name in expected.items():
        (picture,) = histograms(apart(right, distance))
        assert [(found, share) for _, _, found, share in bars(picture)] == [(name, 100)]


def test_a_bar_is_the_share_of_its_distances_and_the_rarest_can_be_seen(right):
    (picture,) = histograms(apart(right, *[0] * 9999, 7))
    assert [(name, share) for _, _, name, share in bars(picture)] == [("0", 100), ("5-8", 0.01)]
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', picture)]
    assert heights[0] > 100
    assert heights[1] >= 1


def test_there_is_a_picture_for_each_output_of_floats_with_its_steps(right):
    (picture,) = histograms(right)
    assert re.findall(r"<figcaption>(.*?):", picture) == ["probabilities"]
    assert re.findall(r"</i>(.*?)</li>", picture) == [
        "onnxruntime against softops",
        "its Softmax-13 against the exact value",
    ]
    for series, distances in (
        ("s0", right.outputs["probabilities"].ulps),
        ("s1", np.rint(next(step for step in right.steps if step.tensor == "probabilities").errors_ulp)),
    ):
        shares = {name: share for found, _, name, share in bars(picture) if found == series}
        assert shares["0"] == pytest.approx(100 * (distances == 0).mean(), rel=1e-2)
        assert shares["3-4"] == pytest.approx(100 * ((distances > 2) & (distances <= 4)).mean(), rel=1e-2)
        assert sum(shares.values()) == pytest.approx(100, abs=0.1)


def test_without_an_element_there_is_no_picture():
    empty = validate(classifier_head(np.eye(2)), inputs=np.empty((0, 2)))
    assert histograms(empty) == []
    assert "<figure" not in render_html(empty, title="empty")


def test_beside_a_nan_no_distance_is_told(wrong):
    page = render_html(wrong, title="NaN")
    text = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))
    assert "NaN against a number" in text
    assert not re.search(r"\binf\b|e-\d\d\d?\b.*allowed|\de\+1\d", text)
    row = page[page.index('<table class="cards steps">') :].split("probabilities")[1].split("</tr>")[0]
    assert (
        re.findall(r'data-of="(?:largest error|bound used|error, bound)[^"]*">(?:<div>)?([^<]*)', row)
        == [DASH] * 3
    )


def test_the_same_report_gives_the_same_page(right):
    assert render_html(right, title="Digits") == render_html(right, title="Digits")


def test_the_page_stands_alone_and_says_it_all(right):
    page = render_html(right, title="Digits", sections=[("Loss & gain", "<p id='own'>it fell</p>")])
    HTMLParser().feed(page)
    assert "computes this model right" in page
    assert "<p id='own'>it fell</p>" in page
    assert "Loss &amp; gain" in page
    for output in right.outputs:
        assert output in page
    assert f">{right.outputs['probabilities'].max_ulp}<" in page
    assert page.index("it fell") < page.index("computes this model right")
    assert not re.search(r"https?://|@import|<script|\b(?:src|href|srcset)=|url\(", page)
    assert page.count('<svg height="') == 1
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_a_failure_is_written_out_and_escaped(wrong):
    page = render_html(wrong, title="<title>")
    assert "does not compute this model right" in page
    assert "What is wrong" in page
    assert "NaN against a number" in page
    assert "<wrong>" not in page
    assert "&lt;wrong&gt; 1 &amp; 2" in page
    assert "<title>&lt;title&gt;</title>" in page


def test_the_page_is_written_whole(right, tmp_path):
    write_html(right, tmp_path / "report.html", title="Digits")
    assert (tmp_path / "report.html").read_text("utf-8") == render_html(right, title="Digits")
    with pytest.raises(FileNotFoundError):
        write_html(right, tmp_path / "missing" / "report.html", title="Digits")
