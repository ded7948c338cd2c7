"""A trained network from a package that others ship: what kind of file bytes are, by magika."""

from importlib.metadata import PackageNotFoundError, files

import numpy as np
import onnx
import pytest

from softops.conformance import noise, validate
from softops.conformance.models.inputs import made_up
from softops.opset import convert_version, lint
from tools.models.sameness import sameness


@pytest.fixture(scope="module")
def path():
    try:
        (found,) = (file for file in files("magika") if file.suffix == ".onnx")
    except PackageNotFoundError:
        pytest.skip('magika is not installed: pip install ".[test]"')
    return found.locate()


@pytest.fixture(scope="module")
def content(path):
    """Bytes of files: numbers up to 255, and 256 for none."""
    shape = made_up(onnx.load(path), batch=2)["bytes"].shape
    return np.random.default_rng(0).integers(0, 257, shape, dtype=np.int32)


def test_inspect_sees_the_softmax_that_is_spelled_out(path):
    assert [warning.code for warning in lint(path).warnings] == ["spelled-out"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino:precision=f32"])
def test_runtimes_compute_it_right(path, content, runtime):
    pytest.importorskip(runtime.partition(":")[0])
    report = validate(path, runtime, content)
    assert report.passed, (report.verdict, report.failures, report.unsettled)


def test_another_runtime_is_within_the_noise(path, content):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (actual,) = session.run(None, {session.get_inputs()[0].name: content})
    (found,) = noise(path, content).outputs.values()
    assert found.judge(actual).verdict in ("equal", "explained by rounding")
    assert found.judge(actual * np.float32(1.01)).verdict == "not explained"


@pytest.mark.parametrize("opset", [13, onnx.defs.onnx_opset_version()])
def test_converted_it_gives_the_same(path, tmp_path, opset):
    out = tmp_path / "converted.onnx"
    onnx.save(convert_version(path, opset), out)
    assert sameness(path, out)[0] in ("same bits", "same but for rounding")
