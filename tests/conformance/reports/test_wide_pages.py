"""The pages of `validate` and `evaluate`, with long names and numbers, as wide as a desk and as a phone."""

import numpy as np
import pytest
from chromium import executable
from onnx import helper

from softops.conformance import Comparison, compare_runtimes, evaluate, validate
from softops.conformance.reports.comparison import write_report
from softops.conformance.reports.evaluation import write_evaluation
from softops.conformance.reports.validation import write_html
from softops.export import classifier_head
from softops.opset.backend import prepare

pytestmark = pytest.mark.skipif(
    executable() is None, reason="no Chromium is installed to look at a page with"
)
GIVEN = "an_input_that_the_exporter_gave_a_long_name"
LONG = "/model/encoder/layers.11/self_attention/projection_out_proj_LayerNormalization_output_0"
CUT = "[...document.querySelectorAll('{}')].filter(e => e.scrollWidth > e.clientWidth).length"


class Off:
    """A runtime of a long name that is wrong everywhere, by much in the last output."""

    name, version = "the_inference_engine_of_a_company", "2026.11.1-rc3+cuda"

    def run(self, model, feeds):
        outputs = prepare(model).run(dict(feeds))
        factors = [np.float32(1.001)] * (len(outputs) - 1) + [np.float32(-1.00001)]
        for y, factor in zip(outputs, factors, strict=True):
            if y.dtype == np.float32:
                np.multiply(y, factor, out=y)
        return outputs


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder, shape = tmp_path_factory.mktemp("wide"), [16, 3, 11, 12, 16]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in (GIVEN, LONG, "log")]
    nodes = [helper.make_node("Softmax", [GIVEN], [LONG]), helper.make_node("LogSoftmax", [GIVEN], ["log"])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    x = (25 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    title = "a_model_with_the_long_name_of_a_pipeline-quantized-v2.3.4-final.onnx"
    write_html(validate(model, Off(), x), folder / "report.html", title=title)
    several = compare_runtimes(model, ["softops", Off()], x)
    assert isinstance(several, Comparison)
    write_report(several, folder / "comparison.html", title=title)
    labels = [f"a label of {number} letters or so" for number in range(12)]
    head = classifier_head(np.random.default_rng(0).standard_normal((12, 6)), labels=labels, dtype="float32")
    data = {"features": x.reshape(-1, 6)[:500]}
    write_evaluation(evaluate(head, data, [Off()]), folder / "evaluation.html", title=title)
    return folder


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["report", "comparison", "evaluation"])
def test_nothing_is_cut_off_whatever_the_width(pages, browser, name, width):
    browser.open(pages / f"{name}.html")
    browser.look(width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    boxes = ".scroll" if width > 1000 or name != "evaluation" else ".scroll:not(:has(.counts))"
    assert browser.ask(CUT.format(boxes)) == 0
