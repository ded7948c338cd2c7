"""What the shipped runtimes tell of their precision: what the compiled model says, whichever processor it is."""

import numpy as np
import onnx
import pytest
from planted import Rounded

from softops import conformance
from softops.conformance.measure.precision import Precision
from softops.conformance.runtimes.isolated import Isolated
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.runtimes.protocol import precision_of

MODEL = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,8,8] x) => (float[N,4] y)
    <float[4,3] w = {0.1, 0.7, -0.3, 0.9, 1.3, -0.2, 0.3, 0.6, 0.7, -1.1, 0.2, 0.9}>
    { g = GlobalAveragePool(x) f = Flatten(g) t = Transpose(w) y = MatMul(f, t) }""")
X = np.random.default_rng(0).normal(5, 1, (16, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("name", ["onnxruntime", "onnx.reference", "softops", "torch"])
def test_what_computes_each_type_in_itself_says_so(name):
    pytest.importorskip(name.partition(".")[0])
    runtime = get_runtime(name)
    softmax = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,3] x) => (float[N,3] y) { y = Softmax(x) }""")
    load(runtime, softmax.SerializeToString())
    precision = precision_of(runtime)
    assert precision.computes_in == "own"
    assert precision.cause(name) == ""
    if name == "onnxruntime":
        assert precision.runs_on == "CPUExecutionProvider"


def test_a_runtime_in_a_process_of_its_own_tells_what_it_tells_there():
    isolated = Isolated(Rounded(), 60)
    try:
        load(isolated, MODEL.SerializeToString())({"x": X})
        assert precision_of(isolated) == Precision("bf16", "CPU", "precision=f32")
    finally:
        isolated.close()


def compiled_precision(**config):
    """What OpenVINO itself says of the compiled model."""
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    model = core.compile_model(core.read_model(model=MODEL.SerializeToString()), "CPU", config)
    return model.get_property("INFERENCE_PRECISION_HINT").get_type_name()


@pytest.mark.parametrize("options", ["", ":precision=f32"])
def test_openvino_is_asked(options):
    config = {"INFERENCE_PRECISION_HINT": "f32"} if options else {}
    told = compiled_precision(**config)
    runtime = get_runtime(f"openvino{options}")
    load(runtime, MODEL.SerializeToString())
    assert (runtime.computes_in, runtime.runs_on) == (told, "CPU")
    assert precision_of(runtime).is_less == (told in ("bf16", "f16"))


def test_validate_is_right_in_float32_whatever_the_default_is():
    pytest.importorskip("openvino")
    report = conformance.validate(MODEL, "openvino:precision=f32", X)
    assert report.verdict == "right"
    assert "computed in float32" in report.heading


def test_validate_judges_the_default_by_float32_and_names_the_cure():
    told = compiled_precision()
    report = conformance.validate(MODEL, "openvino", X)
    if told == "f32":
        assert report.verdict == "right"
        return
    assert report.verdict == "wrong"
    assert report.computes_in == told
    assert any(
        "openvino:precision=f32 asks for float32, in which it is right" in note for note in report.notes
    )


def test_the_forms_of_validate_and_evaluate_begin_with_it(tmp_path):
    from softops.conformance.reports.comparison import write_report
    from softops.conformance.reports.evaluation import write_evaluation

    found = conformance.compare_runtimes(MODEL, [Rounded(), "softops"], X)
    write_report(found, tmp_path / "compared.md", title="net")
    write_report(found, tmp_path / "compared.html", title="net")
    line = "rounded 1 on CPU, computed in bfloat16"
    assert line in (tmp_path / "compared.md").read_text("utf-8").splitlines()[0]
    assert f"<p>{line}</p>" in (tmp_path / "compared.html").read_text("utf-8")
    assert found.to_dict()["reports"][0]["heading"] == line
    assert found.headings[1].startswith("softops ")

    evaluated = conformance.evaluate(MODEL, {"x": X}, [Rounded()])
    write_evaluation(evaluated, tmp_path / "evaluated.md", title="net")
    write_evaluation(evaluated, tmp_path / "evaluated.html", title="net")
    assert line in (tmp_path / "evaluated.md").read_text("utf-8").splitlines()[0]
    page = (tmp_path / "evaluated.html").read_text("utf-8")
    assert f"<p>{line}</p>" in page
    assert "rounded:precision=f32 asks for float32, in which it is right" in page
    assert evaluated.wrong
