"""Names that pictures, pages and files of arrays would misread."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from softops.conformance import validate
from softops.conformance.elsewhere.saved_arrays import read_outputs, write_arrays
from softops.conformance.reports.validation import render_html

NAMES = ["$\\bad{$", "$x^2$", "\x1b[5mblink", "\u540d", "<b>&", "file", "allow_pickle", "a/b", "n" * 3000]


def model(name):
    values = [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", 3]) for value in ("x", name)]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], [name])], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_a_report_is_drawn_whatever_the_names(name):
    page = render_html(validate(model(name), batch=2), title=name)
    assert "<b>&" not in page
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_arrays_of_any_name_are_read_back(name, tmp_path):
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_arrays(tmp_path / "a.npz", {"x": given, name: given + 1})
    with np.load(tmp_path / "a.npz") as read:
        assert sorted(read.files) == sorted(["x", name])
    (back,) = read_outputs(tmp_path / "a.npz", model(name))
    assert np.array_equal(back, given + 1)
