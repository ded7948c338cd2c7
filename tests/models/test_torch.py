"""Networks in the shapes that people export, by both exporters of torch: read, validated, converted, beside torch."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from softops.conformance import noise, validate  # noqa: E402
from softops.opset import convert_version, lint  # noqa: E402
from tools.models.made import of_torch  # noqa: E402

# How many softmaxes and sigmoids the modules have, as their forward methods say; all softmaxes are along the last axis.
FAMILY = {
    "bert": {"Softmax": 3},  # two layers of attention and the head
    "gpt": {"Softmax": 2},
    "vision_transformer": {"Softmax": 3},
    "cnn": {"Softmax": 1, "Sigmoid": 1},
    "detection": {"Sigmoid": 4, "TopK": 1},
    "suppression": {"Sigmoid": 4},
}
# An exporter takes seconds for each; the boxes of both are the same up to what is put behind them.
BY_ONE_EXPORTER = {"suppression"}
# A product of float32 summed in another order, through a few layers.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@functools.cache
def exported(name, exporter):
    if exporter == "dynamo":
        pytest.importorskip("onnxscript")
    with tempfile.TemporaryDirectory() as folder:
        path = of_torch.export(name, exporter, Path(folder))
        assert path is not None
        return onnx.load(path)


def by_torch(name):
    """What the module gives, and for which inputs."""
    module, inputs = of_torch.module_of(name)
    with torch.no_grad():
        given = module(*inputs)
    return [x.numpy() for x in (given if isinstance(given, tuple) else (given,))], inputs


exports = pytest.mark.parametrize(
    ("name", "exporter"),
    [
        (name, exporter)
        for name in FAMILY
        for exporter in of_torch.EXPORTERS[: 1 if name in BY_ONE_EXPORTER else None]
    ],
)


@exports
def test_inspect_sees_what_the_module_has(name, exporter):
    report = lint(exported(name, exporter))
    records = [node for node in report.nodes if node.op_type in ("Softmax", "Sigmoid", "TopK")]
    counts = {op: sum(node.op_type == op for node in records) for op in FAMILY[name]}
    assert counts == FAMILY[name]
    for node in records:
        if node.op_type == "Softmax":
            assert node.works_along == (len(node.shape) - 1,)


@exports
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino:precision=f32"])
def test_runtimes_compute_it_right(name, exporter, runtime):
    pytest.importorskip(runtime.partition(":")[0])
    report = validate(exported(name, exporter), runtime, batch=3)
    assert report.passed, (report.verdict, report.failures, report.unsettled)


@exports
def test_torch_is_within_the_noise(name, exporter):
    """Another implementation of the same network; a scale of 1.001 is not."""
    model = exported(name, exporter)
    expected, inputs = by_torch(name)
    feeds = {value.name: x.numpy() for value, x in zip(model.graph.input, inputs, strict=True)}
    found = noise(model, feeds)
    for tensor, actual in zip(found.outputs.values(), expected, strict=False):
        assert tensor.judge(actual).verdict in ("equal", "explained by rounding"), tensor.name
        if tensor.is_float:
            assert tensor.judge(actual * np.float32(1.001)).verdict == "not explained"


@exports
@pytest.mark.parametrize("opset", [13, onnx.defs.onnx_opset_version()])
def test_converted_it_gives_what_torch_gives(name, exporter, opset):
    expected, inputs = by_torch(name)
    model = convert_version(exported(name, exporter), opset)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {value.name: x.numpy() for value, x in zip(session.get_inputs(), inputs, strict=True)}
    actual = session.run(None, feeds)
    assert len(actual) == len(expected) + (
        name == "suppression"
    )  # what is selected comes behind boxes and scores
    for left, right in zip(actual, expected, strict=False):
        np.testing.assert_allclose(left, right, **CLOSE)
