"""Networks that come with onnx, and a pipeline of scikit-learn: read, validated, converted."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.conformance import validate
from softops.opset import convert_version, lint

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
# Both end in a softmax of a thousand classes, under the rule of opset 9.
NETWORKS = ["light_squeezenet", "light_shufflenet"]
networks = pytest.mark.parametrize(
    "path", [LIGHT / f"{name}.onnx" for name in NETWORKS], ids=lambda p: p.stem
)


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("skl2onnx")
    from tools.models.made import of_sklearn

    return of_sklearn.pipeline()


@networks
def test_inspect_sees_the_softmax_at_the_end(path):
    report = lint(path)
    (node,) = report.nodes
    assert (node.operator, node.axis_rule) == ("Softmax-1", "flatten")
    assert node.elements == 1000


@networks
def test_onnxruntime_computes_a_network_right(path):
    report = validate(path)
    assert report.passed, (report.verdict, report.failures, report.unsettled)


@networks
@pytest.mark.parametrize("opset", [9, 13, onnx.defs.onnx_opset_version()])
def test_a_converted_network_gives_the_output_that_onnx_ships(path, opset):
    model = convert_version(path, opset)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (given,) = session.get_inputs()
    # As onnx's own runner of these networks feeds them.
    x = np.linspace(0, 1, int(np.prod(given.shape)), dtype=np.float32).reshape(given.shape)
    (actual,) = session.run(None, {given.name: x})
    stored = onnx.TensorProto()
    stored.ParseFromString(path.with_name(f"{path.stem}_output_0.pb").read_bytes())
    np.testing.assert_allclose(actual, onnx.numpy_helper.to_array(stored), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("runtime", ["onnxruntime", "softops"])
def test_a_pipeline_is_computed_right(pipeline, runtime):
    content, feeds, _ = pipeline
    report = validate(content, runtime, feeds)
    assert report.passed, (report.verdict, report.failures, report.unsettled)


@pytest.mark.parametrize("opset", [13, 18, onnx.defs.onnx_opset_version()])
def test_a_converted_pipeline_gives_what_scikit_learn_gives(pipeline, opset):
    content, feeds, expected = pipeline
    model = convert_version(content, opset)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    labels, probabilities = session.run(None, feeds)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(labels, expected.argmax(1))
