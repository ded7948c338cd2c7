"""What `print` and notebooks show of every report that `softops.conformance` gives."""

import numpy as np
import pytest

from softops import conformance
from softops.conformance.measure.brief import Briefed
from softops.export import classifier_head
from softops.opset.backend import prepare

X = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)


class Wrong:
    """A runtime whose probabilities are off; its name is not safe in HTML."""

    name, version = "<wrong>", "1 & 2"

    def run(self, model, feeds):
        outputs = prepare(model).run(dict(feeds))
        return [np.float32(0.9) * y if y.dtype == np.float32 else y for y in outputs]


class Broken:
    """A runtime that runs nothing."""

    name, version = "broken", "1"

    def run(self, model, feeds):
        message = "no usable devices"
        raise RuntimeError(message)


@pytest.fixture(scope="module")
def head():
    return classifier_head(np.random.default_rng(0).standard_normal((4, 6)), dtype="float32")


def made(head):
    """Every kind of report, each with words that have to be in what is shown of it."""
    outputs = prepare(head).run([X])
    off = [outputs[0], outputs[1] * np.float32(0.9)]
    compared = conformance.compare_runtimes(head, ["onnxruntime", "softops", Broken()], batch=9)
    noise = conformance.noise(head, batch=9)
    data = {"features": X, "labels": np.arange(5) % 4}
    suite = {"ops": ["Hardmax"], "dtypes": ["float32"], "families": ["gaussian-3"], "quick": True, "jobs": 1}
    yield (
        conformance.validate(head, batch=9),
        ["onnxruntime", "right", "probabilities", "all 3 steps are right"],
    )
    yield conformance.validate(head, Wrong(), batch=9), ["<wrong> 1 & 2", "wrong: probabilities", "36 of 36"]
    yield conformance.validate(head, inputs=X[:0]), ["nothing compared"]
    yield compared, ["onnxruntime against softops", "broken was not run"]
    yield compared.pairs[0], ["onnxruntime against softops", "the same decisions", "probabilities"]
    yield conformance.compare_runtimes(head, [Wrong()], batch=9), ["not all right", "<wrong>"]
    yield conformance.evaluate(head, data), ["5 rows", "right", "accuracy", "100 % of 5 labels agree"]
    yield conformance.evaluate(head, data, [Wrong()]), ["wrong: <wrong>: "]
    yield noise, ["8 runs", "probabilities", "rtol"]
    yield noise.outputs["probabilities"], ["probabilities", "float32[9,4]"]
    yield conformance.compare_outputs(head, X, outputs), ["equal"]
    yield conformance.compare_outputs(head, X, off), ["not explained", "probabilities", "the model makes"]
    yield conformance.run("softops", **suite), ["softops", "all right", " cases: "]
    yield conformance.run(Wrong(), **suite), ["<wrong>", "not all right", "Hardmax-", " wrong"]


def test_every_report_is_shown_in_a_few_lines(head):
    kinds = set()
    for report, words in made(head):
        kinds.add(type(report))
        text, html = str(report), report._repr_html_()
        assert 1 <= len(text.splitlines()) <= 40
        assert len(text) < 6000
        for word in words:
            assert word in text
            assert word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in html
        assert "array(" not in text
        assert " object at 0x" not in text
        assert "<wrong>" not in html
    public = (getattr(conformance, name) for name in conformance.__all__)
    assert kinds == {kind for kind in public if isinstance(kind, type) and issubclass(kind, Briefed)}


def test_parts_of_a_report_are_a_sentence_each(head):
    wrong, right = conformance.validate(head, Wrong(), batch=9), conformance.validate(head, batch=9)
    step = next(step for step in wrong.steps if step.verdict == "wrong")
    assert str(step) == f"wrong: {step.message}"
    assert str(right.steps[0]).startswith(f"right: {right.steps[0].tensor}: {right.steps[0].operator} gave ")
    assert str(right.outputs["label"]) == "label, int64[9]: 100 % equal"
    probabilities = right.outputs["probabilities"]
    assert f"equal, at most {probabilities.max_ulp} ULP apart" in str(probabilities)
    suite = conformance.run(
        Wrong(), ops=["Hardmax"], dtypes=["float32"], families=["ties"], quick=True, jobs=1
    )
    case = suite.unexpected[0]
    assert str(case) == f"{case.id}: wrong: {case.message}"
    judged = conformance.compare_outputs(head, X, prepare(head).run([X])).outputs["label"]
    assert str(judged) == "label: equal"


def test_figures_are_those_of_the_report(head):
    report = conformance.validate(head, batch=9)
    (line,) = (line for line in str(report).splitlines() if line.startswith("  probabilities"))
    output = report.outputs["probabilities"]
    assert line.split()[:3] == ["probabilities", "float32[9,4]", str(output.max_ulp)]
    assert float(line.split()[3]) == pytest.approx(100 * output.equal, rel=1e-3)
