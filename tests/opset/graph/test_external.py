"""Data that leads out of the model's folder, by whichever way: no reader takes it, no writer follows it."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softops.cli.main import run
from softops.conformance import validate
from softops.export import append_head, fuse, strip_head
from softops.opset import ModelError, convert_version, lint, load_model
from softops.opset.backend import prepare
from softops.opset.convert.files import convert_file
from softops.opset.graph.external import place_of

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) / 8

READERS = {
    "load_model": load_model,
    "prepare": prepare,
    "convert_version": lambda path: convert_version(path, 17),
    "convert_file": lambda path: convert_file(path, 17, path.parents[1] / "out" / "o.onnx"),
    "fuse": lambda path: fuse(path, path=path.parents[1] / "out" / "o.onnx"),
    "strip_head in memory": strip_head,
    "append_head": lambda path: append_head(path, "softmax", path=path.parents[1] / "out" / "o.onnx"),
    "validate": validate,
}
# The name in the model, and the links that there are, each with where it leads.
WAYS = {
    "up and out": ("../secret.bin", {}),
    "down and up and out": ("inner/../../secret.bin", {}),
    "backslashes": ("..\\secret.bin", {}),
    "absolute": ("{root}/secret.bin", {}),
    "a drive": ("C:\\secret.bin", {}),
    "nothing": ("", {}),
    "the folder": (".", {}),
    "a link": ("w.bin", {"w.bin": "../secret.bin"}),
    "an absolute link": ("w.bin", {"w.bin": "{root}/secret.bin"}),
    "a link to a link": ("w.bin", {"w.bin": "v.bin", "v.bin": "../secret.bin"}),
    "a folder on the way": ("sub/secret.bin", {"sub": ".."}),
    "a folder on the way of a link": ("w.bin", {"w.bin": "sub/secret.bin", "sub": ".."}),
}


@pytest.fixture
def model(tmp_path):
    """A model in `in`, its weight in `in/w.bin`; `out` to write to; `secret.bin` beside both."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["l"]), helper.make_node("Softmax", ["l"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(WEIGHT, "W")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for name in ("in", "in/inner", "out"):
        (tmp_path / name).mkdir()
    path = tmp_path / "in" / "m.onnx"
    onnx.save(made, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "secret.bin").write_bytes((tmp_path / "in" / "w.bin").read_bytes())
    return path


def lead(model, location, links, root):
    """Have the weight lie at a location, by links."""
    (model.parent / "w.bin").unlink()
    for name, target in links.items():
        os.symlink(target.format(root=root), model.parent / name)
    proto = onnx.load(model, load_external_data=False)
    (entry,) = (entry for entry in proto.graph.initializer[0].external_data if entry.key == "location")
    entry.value = location.format(root=root)
    onnx.save(proto, model)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_reader_takes_what_lies_elsewhere(way, model, tmp_path):
    lead(model, *way, tmp_path)
    for read in READERS.values():
        with pytest.raises(ModelError, match="expected external data within"):
            read(model)
    assert len(lint(model).nodes) == 1  # which reads no data
    out = tmp_path / "out"
    for words in (["convert", "--opset", "17"], ["export", "strip"], ["export", "append"]):
        assert run([*words, str(model), "-o", str(out / "o.onnx")]) == 2
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["w.bin", "sub/w.bin"], ids=["a link", "a folder on the way"])
@pytest.mark.parametrize("write", [READERS["convert_file"], READERS["fuse"]], ids=["convert_file", "fuse"])
def test_no_link_is_written_through_to_elsewhere(write, name, model, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = (model.parent / "w.bin").read_bytes()
    lead(model, name, {}, tmp_path)
    (model.parent / "sub").mkdir()
    (model.parent / name).write_bytes(kept)
    if name == "w.bin":
        (tmp_path / "out" / "w.bin").symlink_to(elsewhere / "new.bin")
    else:
        (tmp_path / "out" / "sub").symlink_to(elsewhere)
    with pytest.raises(
        FileExistsError, match=r"expected to write the model's tensors within .*remove the link"
    ):
        write(model)
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "out" / "o.onnx").exists()


def test_a_link_within_the_folder_is_read(model):
    (model.parent / "w.bin").rename(model.parent / "inner" / "v.bin")
    (model.parent / "w.bin").symlink_to("inner/v.bin")
    (held,) = load_model(model).graph.initializer
    assert np.array_equal(numpy_helper.to_array(held), WEIGHT)
    x = np.ones((2, 4), np.float32)
    assert prepare(model).run([x])[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("key", "value"), [("offset", "-1"), ("offset", "x"), ("length", "-5"), ("length", "1e3")], ids=str
)
def test_a_place_that_is_no_number_of_bytes(key, value, model):
    tensor = onnx.load(model, load_external_data=False).graph.initializer[0]
    kept = [entry for entry in tensor.external_data if entry.key != key]
    del tensor.external_data[:]
    tensor.external_data.extend([*kept, onnx.StringStringEntryProto(key=key, value=value)])
    with pytest.raises(ModelError, match="at a number of bytes"):
        place_of(tensor, model.parent)
