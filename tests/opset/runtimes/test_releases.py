"""What releases of a runtime can read."""

import itertools

import onnx
import onnxruntime
import pytest

from softops.opset.runtimes.releases import readable_by


def session(opset, ir_version, ml_opset=None):
    domain, version = ("", opset) if ml_opset is None else ("ai.onnx.ml", ml_opset)
    node = onnx.helper.make_node("Normalizer" if domain else "Relu", ["x"], ["y"], domain=domain)
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2]) for name in "xy"]
    imports = [onnx.helper.make_opsetid("", opset)] + [onnx.helper.make_opsetid(domain, version)] * bool(
        domain
    )
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


@pytest.fixture
def installed():
    return readable_by(f"onnxruntime=={onnxruntime.__version__}")


def test_the_installed_onnxruntime_reads_what_the_table_says(installed):
    session(installed.opset, installed.ir_version, installed.ml_opset)


@pytest.mark.skipif(
    tuple(map(int, onnxruntime.__version__.split(".")[:2])) > (1, 32), reason="newer than the table"
)
@pytest.mark.parametrize("field", ["opset", "ir_version", "ml_opset"])
def test_and_nothing_newer(installed, field):
    newer = installed._replace(**{field: getattr(installed, field) + 1})
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
        session(*newer)


# From https://onnxruntime.ai/docs/reference/compatibility.html, columns opset, IR version, ML opset.
@pytest.mark.parametrize(
    ("version", "opset", "ir_version", "ml_opset"),
    [
        ("0.1.4", 8, 3, 1),
        ("0.2.1", 8, 3, 1),
        ("0.3.1", 9, 3, 1),
        ("0.4.0", 10, 5, 1),
        ("0.5.0", 10, 5, 1),
        ("1.0.0", 11, 6, 2),
        ("1.2.0", 11, 6, 2),
        ("1.3.1", 12, 7, 2),
        ("1.4", 12, 7, 2),
        ("1.5.3", 12, 7, 2),
        ("1.6.0", 13, 7, 2),
        ("1.7.0", 13, 7, 2),
        ("1.8.1", 14, 7, 2),
        ("1.11", 16, 8, 2),
        ("1.14.1", 18, 8, 3),
        ("1.17.3", 20, 9, 4),
        ("1.20.0", 21, 10, 5),
    ],
)
def test_known_releases(version, opset, ir_version, ml_opset):
    assert readable_by(f"onnxruntime=={version}") == (opset, ir_version, ml_opset)


def test_a_release_reads_what_one_release_of_onnx_defines():
    defined = {
        opset: (ir_version, ml_opset) for _, ir_version, opset, ml_opset, *_ in onnx.helper.VERSION_TABLE
    }
    for minor in (*range(11), *range(12, 33)):  # in 1.11 the opset of ai.onnx.ml is the one before ONNX's
        read = readable_by(f"onnxruntime==1.{minor}")
        if read.opset in defined:
            assert (read.ir_version, read.ml_opset) == defined[read.opset]


def test_releases_only_gain():
    versions = [f"0.{n}" for n in range(1, 6)] + [f"1.{n}" for n in range(33)]
    rows = [readable_by(f"onnxruntime=={version}") for version in versions]
    for older, newer in itertools.pairwise(rows):
        assert all(old <= new for old, new in zip(older, newer, strict=True))


@pytest.mark.parametrize(
    "version", ["1.17", "v1.17", " 1.17.0 ", "1.17.1rc2", "1.17.0+cpu", "1.17.0.dev20240101"]
)
def test_ways_to_write_a_version(version):
    assert readable_by(f"onnxruntime=={version}").opset == 20


def test_a_release_that_is_installed_may_be_newer_than_the_table(monkeypatch):
    """A new onnxruntime works with an older softops: it reads all that the newest known release does."""
    newest = readable_by("onnxruntime==1.32")
    with pytest.raises(LookupError):
        readable_by("onnxruntime==1.99")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.99.2")
    assert readable_by("onnxruntime") == readable_by("onnxruntime==1.99.0") == newest
    with pytest.raises(LookupError):
        readable_by("onnxruntime==1.98")


def test_without_a_version_it_is_the_installed_one(installed):
    assert readable_by("onnxruntime") == installed


def test_what_is_no_release():
    with pytest.raises(LookupError, match=r"onnxruntime, 0\.1 .*got 'tensorrt'"):
        readable_by("tensorrt==10.0")
    known = r"0\.1 to 0\.5 and 1\.0 to 1\.32"
    for version in ("0.9", "0.0", "1.33", "1.99.1", "2.0", "99.0"):
        with pytest.raises(
            LookupError, match=rf"known here, {known}, or the installed one \(got '{version}'\)"
        ):
            readable_by(f"onnxruntime=={version}")
    for rubbish in ("", "1", "99", "new", "1.x", "1.17 1.18", ">=1.17", "-1.2"):
        with pytest.raises(ValueError, match=rf"version.* such as .*1\.17.*{known}"):
            readable_by(f"onnxruntime=={rubbish}")
