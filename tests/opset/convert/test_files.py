"""From file to file: tensors outside the model's file stay outside, and every file is whole or not there."""

import os

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError, UnsupportedModelError
from softops.opset.convert.files import convert_file

WEIGHT = np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    """A model whose weight lies in in/parts/w.bin and whose softmax changes at 13."""
    proto = onnx.parser.parse_model(
        '<ir_version: 7, opset_import: ["": 12]> g (float[N, 4] x) => (float[N, 4, 10] y) '
        "<int64[3] s = {-1, 4, 10}> { m = MatMul (x, w) e = Reshape (m, t) y = Softmax <axis = 1> (e) }"
    )
    proto.graph.initializer[0].name = "t"
    proto.graph.initializer[0].int64_data[1] = 4
    proto.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHT, "w"))
    folder = tmp_path / "in"
    (folder / "parts").mkdir(parents=True)
    onnx.save(
        proto, folder / "m.onnx", save_as_external_data=True, location="parts/w.bin", size_threshold=200
    )
    return folder / "m.onnx"


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def run(path):
    return onnxruntime.InferenceSession(path).run(None, {"x": X})[0]


def test_data_is_copied_beside_the_result(model, tmp_path):
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "new.onnx"
    report = convert_file(model, 21, out)
    assert listing(out.parent) == ["new.onnx", "parts/w.bin"]
    assert report.data_files == {"parts/w.bin": (model.parent / "parts/w.bin").stat().st_size}
    assert (report.source, report.target, report.nodes) == (12, 21, 5)
    assert report.added == {"Flatten": 1, "Reshape": 1}
    np.testing.assert_array_equal(run(out), run(model))
    assert out.stat().st_size < WEIGHT.nbytes


def test_in_the_same_folder_nothing_is_copied(model):
    out = model.with_name("new.onnx")
    convert_file(model, 13, out)
    assert listing(model.parent) == ["m.onnx", "new.onnx", "parts/w.bin"]
    np.testing.assert_array_equal(run(out), run(model))


def test_in_place(model):
    expected = run(model)
    with pytest.raises(FileExistsError, match="--force"):
        convert_file(model, 13, model)
    convert_file(model, 13, model, overwrite=True)
    assert onnx.load(model, load_external_data=False).opset_import[0].version == 13
    np.testing.assert_array_equal(run(model), expected)


def test_the_model_does_not_replace_its_own_weights(model):
    data = model.parent / "parts" / "w.bin"
    before = data.read_bytes()
    with pytest.raises(ValueError, match="choose another --out"):
        convert_file(model, 13, data, overwrite=True)
    assert data.read_bytes() == before


def test_data_that_is_there_already(model, tmp_path):
    (tmp_path / "out" / "parts").mkdir(parents=True)
    taken = tmp_path / "out" / "parts" / "w.bin"
    taken.write_bytes(b"precious")
    out = tmp_path / "out" / "new.onnx"
    with pytest.raises(FileExistsError, match=r"w\.bin exists already"):
        convert_file(model, 13, out)
    assert taken.read_bytes() == b"precious"
    assert not out.exists()
    convert_file(model, 13, out, overwrite=True)
    np.testing.assert_array_equal(run(out), run(model))


def test_a_tensor_larger_than_any_memory_is_not_read(model):
    """One of 1 TB, in a file that has holes in place of it."""
    proto = onnx.load(model, load_external_data=False)
    tensor = proto.graph.initializer[1]
    rows = 10**12 // 160
    tensor.dims[0] = rows
    with (model.parent / "parts/w.bin").open("r+b") as file:
        try:
            os.truncate(file.fileno(), 160 * rows)
        except OSError:
            pytest.skip("this file system has no files of 1 TB")
    for entry in tensor.external_data:
        if entry.key == "length":
            entry.value = str(160 * rows)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = rows
    onnx.save(proto, model)
    out = model.with_name("new.onnx")
    convert_file(model, 13, out)
    assert onnx.load(out, load_external_data=False).graph.initializer[1] == tensor


def test_an_unconvertible_model_writes_nothing(model, tmp_path):
    proto = onnx.load(model, load_external_data=False)
    proto.graph.node[0].op_type = "BitwiseAnd"
    proto.opset_import[0].version = 18
    onnx.save(proto, model)
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsupportedModelError, match="BitwiseAnd"):
        convert_file(model, 13, tmp_path / "out" / "new.onnx")
    assert listing(tmp_path / "out") == []


def test_no_folder_to_write_to(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        convert_file(model, 13, tmp_path / "nowhere" / "new.onnx")
    assert listing(tmp_path) == ["in/m.onnx", "in/parts/w.bin"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("parts/none.bin", "no such file"),
        ("../w.bin", "within"),
        ("/etc/hostname", "within"),
        ("parts", "no such"),
    ],
)
def test_data_elsewhere(model, tmp_path, location, reason):
    (tmp_path / "w.bin").write_bytes(bytes(640))
    proto = onnx.load(model, load_external_data=False)
    for entry in proto.graph.initializer[1].external_data:
        if entry.key == "location":
            entry.value = location
    onnx.save(proto, model)
    with pytest.raises(ModelError, match=f"(?i)expected .*{reason}"):
        convert_file(model, 13, tmp_path / "new.onnx")
    assert listing(tmp_path) == ["in/m.onnx", "in/parts/w.bin", "w.bin"]


def test_data_behind_a_link_out_of_the_folder(model, tmp_path):
    data = model.parent / "parts" / "w.bin"
    data.rename(tmp_path / "w.bin")
    data.symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="expected external data within"):
        convert_file(model, 13, tmp_path / "new.onnx")


def test_data_cut_short(model, tmp_path):
    (model.parent / "parts" / "w.bin").write_bytes(b"abc")
    with pytest.raises(ModelError, match=r"expected 640 bytes .*\(got 3\)"):
        convert_file(model, 13, tmp_path / "new.onnx")


def test_a_failure_while_writing_leaves_nothing(model, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("softops.opset.convert.files.write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        convert_file(model, 13, tmp_path / "out" / "new.onnx")
    assert listing(tmp_path / "out") == []
