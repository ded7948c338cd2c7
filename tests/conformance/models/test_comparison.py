"""compare_runtimes: each runtime against ours, every two of them, and what is written of it."""

import json
from html.parser import HTMLParser

import numpy as np
import onnx
import pytest

from softops.conformance import UnknownRuntimeError, compare_runtimes
from softops.conformance.measure.decisions import decisions
from softops.conformance.reports.comparison import write_report
from softops.export import classifier_head
from softops.opset import ModelError
from softops.opset.backend import prepare

WEIGHT = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32)


class Changed:
    """Our backend, with one output changed."""

    version = "1"

    def __init__(self, name, output, change):
        self.name, self._output, self._change = name, output, change

    def run(self, model, feeds):
        prepared = prepare(model)
        outputs = zip(prepared.output_names, prepared.run(dict(feeds)), strict=True)
        return [self._change(x) if name == self._output else x for name, x in outputs]


class Broken:
    name = "broken"

    def run(self, model, feeds):
        message = "out of order"
        raise RuntimeError(message)


def rolled(p):
    return np.roll(p, 1, -1)


@pytest.fixture(scope="module")
def found():
    runtimes = ["onnxruntime", "softops", Changed("<rolled>", "probabilities", rolled), Broken()]
    return compare_runtimes(classifier_head(WEIGHT), runtimes, batch=50)


def test_each_runtime_has_its_verdict(found):
    assert [(report.runtime, report.passed) for report in found.reports] == [
        ("onnxruntime", True),
        ("softops", True),
        ("<rolled>", False),
    ]
    assert [report.runtime for report in found.wrong] == ["<rolled>"]
    assert list(found.not_run) == ["broken"]
    assert "out of order" in found.not_run["broken"]
    assert found.compared
    assert not found.passed


def test_each_pair_says_how_far_apart_and_what_is_decided_otherwise(found):
    pairs = {(pair.left, pair.right): pair.apart for pair in found.pairs}
    assert set(pairs) == {("onnxruntime", "softops"), ("onnxruntime", "<rolled>"), ("softops", "<rolled>")}
    rolled = pairs["softops", "<rolled>"]
    assert rolled.outputs["label"].equal == 1
    assert rolled.decisions["label"].changed == 0
    assert rolled.decisions["probabilities"].changed == 50
    assert rolled.first_node.tensor == "probabilities"
    assert rolled.first_node.starts
    near = pairs["onnxruntime", "softops"]
    assert near.changed == 0
    assert near.outputs["probabilities"].max_ulp < 1000


def test_another_dtype_or_shape_is_said_between_runtimes_too():
    runtimes = [
        Changed("wide", "probabilities", np.float64),
        Changed("flat", "probabilities", np.ravel),
        "softops",
    ]
    found = compare_runtimes(classifier_head(WEIGHT), runtimes, batch=5)
    assert [report.passed for report in found.reports] == [False, False, True]
    texts = {(pair.left, pair.right): pair.apart.unlike for pair in found.pairs}
    assert texts["wide", "softops"] == ["probabilities: expected float32 (got float64)"]
    assert texts["flat", "softops"] == ["probabilities: expected shape [5, 4] (got [20])"]


@pytest.mark.parametrize(("axis", "lines"), [(0, 12), (1, 20), (-2, 20), (2, 15)])
def test_decisions_are_taken_along_the_axis_of_the_softmax(axis, lines):
    model = onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[5,3,4] x) => (float[5,3,4] p) {{ p = Softmax<axis = {axis}>(x) }}
    """)
    runtimes = ["softops", Changed("rolled", "p", lambda p: np.roll(p, 1, axis))]
    (pair,) = compare_runtimes(model, runtimes).pairs
    decided = pair.apart.decisions["p"]
    assert (decided.count, decided.changed) == (lines, lines)


def test_progress_counts_nodes():
    seen = []
    compare_runtimes(
        classifier_head(WEIGHT),
        ["softops", Broken()],
        families=["ties", "gaps", "equal"],
        batch=5,
        progress=lambda done, total: seen.append((done, total)),
    )
    # 3 families, 2 runtimes, 2 runs of ours, 2 nodes and more: it only grows, and ends at all of it.
    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done)
    assert len(set(totals)) == 1
    assert done[0] == 0
    assert done[-1] == totals[0]
    assert len(set(done)) > 12


def test_what_cannot_be_compared_is_an_error():
    model = classifier_head(WEIGHT)
    for runtimes in ([], ["softops", "softops"]):
        with pytest.raises(ValueError, match="each once"):
            compare_runtimes(model, runtimes)
    with pytest.raises(UnknownRuntimeError):
        compare_runtimes(model, ["softops", "abacus"])
    model.graph.node[1].op_type = "Softplunge"
    with pytest.raises(ModelError, match=r"valid model.*Softplunge"):
        compare_runtimes(model, ["softops"], inputs=np.zeros((2, 9), np.float32))
    model.graph.node[1].domain = "own"
    model.opset_import.add(domain="own", version=1)
    found = compare_runtimes(model, ["softops"], inputs=np.zeros((2, 9), np.float32))
    assert "Softplunge" in found.not_run["softops"]
    assert not found.reports
    assert not found.passed


def test_the_report_is_written_in_every_form(found, tmp_path):
    write_report(found, tmp_path / "all", title="Heads & <tails>")
    names = {path.name for path in (tmp_path / "all").iterdir()}
    pages = {name for name in names if name[:2].isdigit()}
    assert len(pages) == 3
    assert names - pages == {"report.html", "report.json", "report.md"}
    record = json.loads((tmp_path / "all/report.json").read_text("utf-8"))
    assert (record["schema"], record["passed"], len(record["pairs"])) == (1, False, 3)
    assert record["reports"][2]["departure"] == "probabilities"
    page = (tmp_path / "all/report.html").read_text("utf-8")
    HTMLParser().feed(page)
    assert "<rolled>" not in page
    assert "Heads &amp; &lt;tails&gt;" in page
    assert "50 of 50" in page
    assert "out of order" in page
    text = (tmp_path / "all/report.md").read_text("utf-8")
    assert "the first wrong node of the family is probabilities (Softmax-13)" in text
    write_report(found, tmp_path / "all", title="Again")
    assert {path.name for path in (tmp_path / "all").iterdir()} == names
    assert "# Again" in (tmp_path / "all/report.md").read_text("utf-8")
    write_report(found, tmp_path / "only.json", title="x")
    assert json.loads((tmp_path / "only.json").read_text("utf-8")) == record


def test_decisions_by_their_definition():
    left = np.array([[1, 2, 3], [3, 2, 1], [0, 0, np.nan]], np.float32)
    right = np.array([[1, 2, 3], [3, 4, 1], [0, 0, np.nan]], np.float32)
    entry = decisions("y", left, right)
    assert (entry.count, entry.changed, entry.first, entry.margin) == (3, 1, (1,), 1.0)
    entry = decisions("y", left, right, axis=0)
    assert (entry.count, entry.changed, entry.first, entry.margin) == (3, 1, (1,), 2.0)
    entry = decisions("y", left, left)
    assert (entry.changed, entry.first, entry.margin) == (0, None, None)
    # A tie falls the other way, between infinities too.
    for tied in (2, np.inf):
        entry = decisions("y", np.array([[0.0, tied]]), np.array([[tied, tied]], float))
        assert (entry.changed, entry.margin) == (1, 0)
    entry = decisions("y", np.array([[0.0, 1.0]]), np.array([[np.inf, 2]]))
    assert (entry.changed, entry.margin) == (1, np.inf)
    entry = decisions("label", np.array(["a", "b"]), np.array(["a", "c"]))
    assert (entry.changed, entry.first, entry.margin) == (1, (1,), None)
    assert decisions("y", left[:, :1], right[:, :1]) is None
    assert decisions("y", left[:0], right[:0]) is None
