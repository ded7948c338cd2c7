"""The pages of `noise` and `compare_outputs`, looked at in a browser."""

import numpy as np
import onnx
import pytest
from chromium import executable
from made_elsewhere import by_onnxruntime, inputs, network

from softops.conformance import compare_outputs, noise
from softops.conformance.reports.noise import write_noise
from softops.conformance.reports.outputs import write_outputs

pytestmark = pytest.mark.skipif(
    executable() is None, reason="no Chromium is installed to look at a page with"
)
LONG = "/encoder/layers.0/self_attention/" + "projection_" * 9 + "output_0"
CUT = "[...document.querySelectorAll('.scroll:not(pre)')].filter(e => e.scrollWidth > e.clientWidth).length"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Both pages of a network whose tensors have long names, with one of them off."""
    folder = tmp_path_factory.mktemp("pages")
    model = network()
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [LONG if name == "scaled" else name for name in names]
    write_noise(noise(model, inputs()), folder / "noise.html", title="Noise")
    outputs = by_onnxruntime(model, inputs(), LONG)
    outputs[LONG] = outputs[LONG] + np.float32(0.01)
    write_outputs(compare_outputs(model, inputs(), outputs), folder / "outputs.html", title="Outputs")
    cancelling = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> net (float[N] x) => (float[N] y) '
        "{ one = Constant <value_float = 1.0> () a = Add(x, one) y = Sub(a, one) }"
    )
    x = np.linspace(0.001, 0.01, 20, dtype=np.float32)
    write_noise(noise(cancelling, x), folder / "lost.html", title="Lost")
    return folder


@pytest.mark.parametrize("width", [400, 1100])
@pytest.mark.parametrize("name", ["noise", "outputs", "lost"])
def test_nothing_is_cut_off_whatever_the_width(pages, browser, name, width):
    browser.open(pages / f"{name}.html")
    browser.look(width)
    assert browser.ask(CUT) == 0
    assert browser.ask("document.documentElement.scrollWidth") <= width


def test_a_mark_stands_on_the_curve_where_digits_are_lost(pages, browser):
    browser.open(pages / "lost.html")
    browser.look()
    assert browser.ask("document.querySelectorAll('circle.lost').length") == 1
    assert browser.ask("document.querySelector('circle.lost title').textContent").startswith("y: ")
    mark, curve = (
        browser.ask(
            f"(r => [r.left, r.right, r.top, r.bottom])(document.querySelector({one!r}).getBoundingClientRect())"
        )
        for one in ("circle.lost", "polyline")
    )
    assert (mark[0] + mark[1]) / 2 == pytest.approx(curve[1], abs=1.5)  # the last node, which lost most
    assert (mark[2] + mark[3]) / 2 == pytest.approx(curve[3], abs=1.5)
    assert (
        browser.ask("document.querySelectorAll('.cards').length") == 2
    )  # outputs, and where digits are lost
