"""The report as a page, a picture and rows."""

import base64
import dataclasses
import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from softops.conformance import validate
from softops.conformance.models.differences import Differences
from softops.conformance.reports.validation import render_html, report_table, ulp_histogram_png, write_html
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


def picture(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


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


def test_the_plot_is_a_transparent_picture_in_light_and_dark(right, wrong):
    import matplotlib as mpl

    before = mpl.get_backend(auto_select=False)
    for report in (right, wrong, validate(classifier_head(np.eye(2)), inputs=np.empty((0, 2)))):
        light, dark = (picture(ulp_histogram_png(report, dark=dark)) for dark in (False, True))
        assert light.shape == dark.shape
        assert light[0, -1, 3] == 0  # a corner without ink
        inked = light[..., 3] == 255
        assert 0.001 < inked.mean() < 0.9
        assert light[inked].mean() < dark[dark[..., 3] == 255].mean()  # dark ink by day, light ink by night
    assert mpl.get_backend(auto_select=False) == before


def test_bars_are_of_0_1_2_and_beyond_by_powers_of_two(right):
    probabilities = right.outputs["probabilities"]

    def plot(distance):
        ulps = np.full_like(probabilities.ulps, distance)
        apart = Differences(outputs={"probabilities": dataclasses.replace(probabilities, ulps=ulps)})
        return ulp_histogram_png(dataclasses.replace(right, apart=apart, steps=[]))

    assert len({plot(distance) for distance in (0, 1, 2, 3, 5, 9)}) == 6
    assert plot(3) == plot(4)
    assert plot(5) == plot(8)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    from matplotlib.figure import Figure

    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda *given, **named: (figures.append(given[0]), save(*given, **named))
    )
    return figures


def test_every_bar_is_called_by_its_distances(right, drawn):
    probabilities = right.outputs["probabilities"]
    for distance in (8, 2**12):
        ulps = np.full_like(probabilities.ulps, distance)
        apart = Differences(outputs={"probabilities": dataclasses.replace(probabilities, ulps=ulps)})
        ulp_histogram_png(dataclasses.replace(right, apart=apart, steps=[]))
    few, many = (
        [text.get_text().replace("\N{EN DASH}", "-") for text in figure.axes[0].get_xticklabels()]
        for figure in drawn
    )
    assert few == ["0", "1", "2", "3-4", "5-8"]
    assert many[:7] == [*few, "9-16", "17-32"]
    assert many[-3:] == ["513-1024", "≤2^11", "≤2^12"]


def test_bars_stand_beside_each_other(right, drawn):
    ulp_histogram_png(right)
    (figure,) = drawn
    bars = sorted((bar.get_x(), bar.get_width()) for series in figure.axes[0].containers for bar in series)
    assert len(figure.axes[0].containers) > 1
    gaps = [after - (before + width) for (before, width), (after, _) in itertools.pairwise(bars)]
    assert min(gaps) > 0.01


def test_the_same_report_gives_the_same_bytes(right):
    assert ulp_histogram_png(right) == ulp_histogram_png(right)


def test_the_page_stands_alone_and_says_it_all(right):
    page = render_html(right, title="Digits", sections=[("Loss & gain", "<p id='own'>it fell</p>")])
    HTMLParser().feed(page)
    assert "computes this model right" in page
    assert "<p id='own'>it fell</p>" in page
    assert "Loss &amp; gain" in page
    for output in right.outputs:
        assert output in page
    assert f">{right.outputs['probabilities'].max_ulp}<" in page
    sources = re.findall(r'(?:src|href|srcset)="([^"]*)"', page)
    assert len(sources) == 2
    for source in sources:
        assert picture(base64.b64decode(source.removeprefix("data:image/png;base64,"))).size
    assert not re.search(r"https?://|@import|<script", page)
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
