"""Models by path: tensors in other files, and nothing half-written."""

import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from softops.export import append_head, decompose, fuse, replace_activation, strip_head
from softops.export.surgery import opened
from softops.opset import ModelError

OPERATIONS = {
    "append": lambda model, **options: append_head(model, "logits", labels=["a", "b", "c"], **options),
    "strip": lambda model, **options: strip_head(model, "p", **options),
    "replace": lambda model, **options: replace_activation(model, "log_softmax", output="p", **options),
    "fuse": fuse,
    "decompose": lambda model, **options: decompose(model, "Softmax", **options),
}
operation = pytest.mark.parametrize("operation", OPERATIONS)


def model_of(weight):
    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"]),
        helper.make_node("Exp", ["logits"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["d"]),
        helper.make_node("Log", ["d"], ["s"]),
    ]
    one = numpy_helper.from_array(np.array(1, np.float32), "one")
    rows, columns = weight.dims
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", rows])
    outputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", columns]) for n in ("logits", "p", "s")
    ]
    graph = helper.make_graph(nodes, "g", [x], outputs, [weight, one])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def outside(tmp_path):
    """A model in a folder of its own, its weight in a file beside it."""
    folder = tmp_path / "from"
    (folder / "data").mkdir(parents=True)
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    model = model_of(numpy_helper.from_array(weight, "weight"))
    external_data_helper.set_external_data(model.graph.initializer[0], "data/weight.bin")
    (folder / "data" / "weight.bin").write_bytes(weight.tobytes())
    model.graph.initializer[0].ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@operation
def test_tensors_in_other_files_are_taken_along(outside, tmp_path, run_onnxruntime, same_bits, operation):
    to = tmp_path / "to"
    to.mkdir()
    OPERATIONS[operation](outside, path=to / "new.onnx")
    OPERATIONS[operation](outside, path=outside.with_name("beside.onnx"))
    assert files_in(to) == ["data/weight.bin", "new.onnx"]
    assert (to / "new.onnx").read_bytes() == outside.with_name("beside.onnx").read_bytes()
    assert files_in(outside.parent) == ["beside.onnx", "data/weight.bin", "model.onnx"]
    x = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    before, after = run_onnxruntime(str(outside), {"x": x}), run_onnxruntime(str(to / "new.onnx"), {"x": x})
    same_bits({"logits": after["logits"]}, {"logits": before["logits"]})
    OPERATIONS[operation](outside, path=to / "new.onnx")  # the same file again is no conflict


@operation
def test_a_model_over_2_gb_is_never_loaded(tmp_path, operation):
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[3 * 2**28, 3])  # 9 GiB
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weight.bin")
    model = model_of(weight)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "weight.bin").open("wb") as file:
        file.truncate(4 * 3 * 3 * 2**28)  # a hole in the file: it takes no room
    new = OPERATIONS[operation](tmp_path / "model.onnx", path=tmp_path / "new.onnx")
    assert new.graph.initializer[0] == model.graph.initializer[0]
    assert (tmp_path / "new.onnx").stat().st_size < 2000
    onnx.checker.check_model(str(tmp_path / "new.onnx"), full_check=True)


@operation
def test_another_file_of_that_name_is_not_overwritten(outside, tmp_path, operation):
    (tmp_path / "to" / "data").mkdir(parents=True)
    (tmp_path / "to" / "data" / "weight.bin").write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"another content.*choose another folder"):
        OPERATIONS[operation](outside, path=tmp_path / "to" / "new.onnx")
    assert files_in(tmp_path / "to") == ["data/weight.bin"]
    assert (tmp_path / "to" / "data" / "weight.bin").read_bytes() == b"precious"


def test_what_was_copied_is_removed_when_the_model_cannot_be_written(outside, tmp_path, monkeypatch):
    to = tmp_path / "to"
    to.mkdir()
    replace = os.replace

    def full(source, target):
        if str(target).endswith(".onnx"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        fuse(outside, path=to / "new.onnx")
    assert not list(to.iterdir())


def test_a_file_that_cannot_be_copied_leaves_nothing(outside, tmp_path, monkeypatch):
    to = tmp_path / "to"
    to.mkdir()

    def full(source, target):
        target.write_bytes(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        fuse(outside, path=to / "new.onnx")
    assert not list(to.iterdir())


def test_a_link_to_a_model_and_links_within_its_folder_are_followed(outside, tmp_path):
    """Not those that lead out of it: see tests/opset/graph/test_external.py."""
    (tmp_path / "links" / "data").mkdir(parents=True)
    (tmp_path / "to").mkdir()
    (outside.parent / "data" / "weight.bin").rename(tmp_path / "links" / "kept.bin")
    (tmp_path / "links" / "data" / "weight.bin").symlink_to(tmp_path / "links" / "kept.bin")
    outside.rename(tmp_path / "blob")
    (tmp_path / "links" / "model.onnx").symlink_to(tmp_path / "blob")
    fuse(tmp_path / "links" / "model.onnx", path=tmp_path / "to" / "new.onnx")
    assert files_in(tmp_path / "to") == ["data/weight.bin", "new.onnx"]
    onnx.checker.check_model(str(tmp_path / "to" / "new.onnx"), full_check=True)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", ""])
def test_files_outside_the_model_s_folder_are_not_touched(outside, tmp_path, location):
    model = onnx.load(outside, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    outside.write_bytes(model.SerializeToString())
    (tmp_path / "to").mkdir()
    with pytest.raises(ModelError, match="expected external data within"):
        fuse(outside, path=tmp_path / "to" / "new.onnx")
    assert files_in(tmp_path / "to") == []


def test_a_missing_file_and_a_model_without_its_folder(outside, tmp_path):
    (tmp_path / "to").mkdir()
    with pytest.raises(ModelError, match="pass the path"):
        fuse(outside.read_bytes(), path=tmp_path / "to" / "new.onnx")
    (outside.parent / "data" / "weight.bin").unlink()
    with pytest.raises(ModelError, match="no such file"):
        fuse(outside, path=tmp_path / "to" / "new.onnx")
    assert files_in(tmp_path / "to") == []


def rubbish():
    random = np.random.default_rng(0)
    yield "nothing", b""
    yield "text", b"weights of a model\n" * 10
    yield "a pickle", b"\x80\x04K\x01."
    yield from (
        (f"random bytes {i}", random.bytes(int(size))) for i, size in enumerate(random.integers(1, 300, 20))
    )
    whole = model_of(numpy_helper.from_array(np.ones((4, 3), np.float32), "weight")).SerializeToString()
    yield from ((f"cut at {at}", whole[:at]) for at in range(5, len(whole) - 1, 23))


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in rubbish()])
def test_rubbish_is_refused_with_nothing_written(tmp_path, content):
    for work in OPERATIONS.values():
        with pytest.raises(ModelError, match=r"^expected .*\(.*\).*; "):
            work(content, path=tmp_path / "new.onnx")
    assert not list(tmp_path.iterdir())


def test_more_than_2_gb_in_memory_are_refused(parsed, monkeypatch):
    model = parsed(17, "g (float[N,3] x) => (float[N,3] y) { y = Softmax(x) }")
    monkeypatch.setattr(opened, "MODEL_BYTES_MAX", 10)
    with pytest.raises(ModelError, match=r"under 2 GiB .*pass its path"):
        fuse(model)


def test_an_opset_that_is_too_old_or_too_new_is_refused(parsed, tmp_path):
    for opset, hint in ((6, "export it again"), (999, "install a newer onnx")):
        model = parsed(opset, "g (float[N,3] x) => (float[N,3] logits) { logits = Abs(x) }", ir_version=3)
        with pytest.raises(ModelError, match=f"opset 7 to .*got {opset}.*{hint}"):
            append_head(model, path=tmp_path / "new.onnx")
    assert not list(tmp_path.iterdir())
