"""Reading a model, and what is said about something that is not one."""

import contextlib
import random

import numpy as np
import onnx
import pytest

from softops.opset import FeedError, ModelError, UnknownOpsetError, convert_version, lint, load_model
from softops.opset.backend import prepare
from softops.opset.graph.domains import ir_version_for
from softops.opset.graph.external import external_tensors


@pytest.fixture
def model(model_of):
    return model_of("Softmax", 13, 2)


def test_reads_path_bytes_and_proto(model, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save_model(model, path)
    content = path.read_bytes()
    for source in (path, str(path), content, bytearray(content), memoryview(content)):
        assert load_model(source) == model
    assert load_model(model) is model


def test_suffix_does_not_matter(model, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(model.SerializeToString())
    assert load_model(path) == model


NOT_MODELS = {
    "empty": b"",
    "text": b"this is no model\n",
    "pickle": b"\x80\x04\x95\x00",
    "zip": b"PK\x03\x04" + bytes(30),
    "zeros": bytes(100),
    "unknown fields": b"\xfa\x7f\x03abc",
    "tensor": onnx.numpy_helper.from_array(np.ones(3, np.float32)).SerializeToString(),
    **{f"random {n}": random.Random(n).randbytes(n) for n in (1, 2, 3, 5, 20, 1000)},
}


@pytest.mark.parametrize("content", NOT_MODELS.values(), ids=NOT_MODELS.keys())
def test_not_a_model(content, tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.onnx") as caught:
        load_model(path)
    assert "expected an ONNX model" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=f"{len(content)} bytes"):
        load_model(content)


def test_model_cut_short_anywhere(model):
    content = model.SerializeToString()
    for length in range(len(content)):
        with pytest.raises(ModelError):
            load_model(content[:length])


def test_folder_and_missing_file(tmp_path):
    with pytest.raises(ModelError, match="got the folder"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no file at .*nowhere\.onnx"):
        load_model(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("source", [None, 3, np.zeros(3), ["model.onnx"]])
def test_not_a_source(source):
    with pytest.raises(TypeError, match=r"path, bytes or onnx\.ModelProto"):
        load_model(source)


def test_proto_without_graph():
    with pytest.raises(ModelError, match="no ir_version and no graph"):
        load_model(onnx.ModelProto())


@pytest.fixture
def outside(tmp_path):
    """A model whose weights lie in a file beside it, also those inside a branch and a constant."""
    weights = onnx.numpy_helper.from_array(np.arange(300, dtype=np.float32), "w")
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["b"], value=weights)],
        "branch",
        [],
        [onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [300])],
    )
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("If", ["c"], ["p"], then_branch=branch, else_branch=branch),
            onnx.helper.make_node("Add", ["p", "w"], ["y"]),
        ],
        "outside",
        [onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [300])],
        [weights],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "big.onnx"
    onnx.save_model(
        model, path, save_as_external_data=True, location="big.data", size_threshold=0, convert_attribute=True
    )
    return path


def test_external_data_is_read_from_beside_the_model(outside):
    model = load_model(outside)
    assert external_tensors(model) == []
    assert onnx.numpy_helper.to_array(model.graph.initializer[0])[299] == 299
    assert len(external_tensors(load_model(outside, external_data=False))) == 3


def test_external_data_missing(outside):
    (outside.parent / "big.data").unlink()
    with pytest.raises(ModelError, match=r"expected the external data of tensor .*big\.data.*one folder"):
        load_model(outside)


def test_external_data_cut_short(outside):
    (outside.parent / "big.data").write_bytes(b"abc")
    with pytest.raises(ModelError, match="external data"):
        load_model(outside)


@pytest.mark.parametrize("kind", ["up and out", "absolute", "symbolic link"])
def test_external_data_outside_of_the_folder(outside, kind):
    model = load_model(outside, external_data=False)
    inner = outside.parent / "inner"
    inner.mkdir()
    location = {
        "up and out": "../big.data",
        "absolute": str(outside.parent / "big.data"),
        "symbolic link": "link.data",
    }
    (inner / "link.data").symlink_to(outside.parent / "big.data")
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location[kind]
    (inner / "m.onnx").write_bytes(model.SerializeToString())
    for read in (load_model, prepare):
        with pytest.raises(ModelError, match=r"expected external data within .*inner") as caught:
            read(inner / "m.onnx")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("offset", "-8"), ("length", "99999999"), ("offset", "many")])
def test_external_data_with_impossible_places(outside, key, value):
    model = load_model(outside, external_data=False)
    tensor = model.graph.initializer[0]
    kept = [(entry.key, entry.value) for entry in tensor.external_data if entry.key != key]
    del tensor.external_data[:]
    for name, text in [*kept, (key, value)]:
        tensor.external_data.add(key=name, value=text)
    outside.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"external data|'w'"):
        prepare(outside)


def test_bytes_and_models_in_memory_know_no_folder(outside):
    for source in (outside.read_bytes(), load_model(outside, external_data=False)):
        with pytest.raises(ModelError, match=r"in files.*pass the model's path"):
            prepare(source)


def test_names_that_are_not_utf_8(model):
    model.graph.node[0].name = "head0"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "dim00"
    content = model.SerializeToString()
    for name in (b"head0", b"dim00", b"Softmax", b"single"):
        assert content.count(name) == 1
        broken = content.replace(name, b"\xff" + name[1:])
        for function in (load_model, prepare, lint, lambda source: convert_version(source, 12)):
            with pytest.raises(ModelError, match=r"names in UTF-8 \(got byte 0xff in one of \d+ bytes\)"):
                function(broken)


def test_an_element_type_that_nobody_knows(model):
    model.graph.input[0].type.tensor_type.elem_type = 33
    for check in (True, False):
        with pytest.raises(
            ModelError, match=r"element type that onnx .* knows for the input 'x' \(got type 33\)|33"
        ):
            prepare(model, check=check)
    assert lint(model).nodes[0].dtype is None
    with pytest.raises(ModelError, match=r"it takes no tensor\(type 33\)"):
        convert_version(model, 12)


def test_bytes_flipped_anywhere(model):
    """What comes is an error of this package, or of the operator that the model names, never another."""
    content = model.SerializeToString()
    chance, x = random.Random(1), np.zeros((2, 3), np.float32)
    for _ in range(400):
        flipped = bytearray(content)
        for _ in range(chance.choice((1, 1, 2))):
            flipped[chance.randrange(len(content))] = chance.randrange(256)
        for function in (
            lambda source: prepare(source, check=False).run([x]),
            lambda source: prepare(source).run([x]),
            lambda source: convert_version(source, 9),
            lambda source: convert_version(source, 21),
        ):
            with contextlib.suppress(ModelError, FeedError, UnknownOpsetError, np.exceptions.AxisError):
                function(bytes(flipped))


def test_an_opset_that_onnx_s_own_table_lacks_goes_with_the_newest_ir_version():
    """As in onnx 1.22.0, which knows opset 27 and whose table ends at 26."""
    table = onnx.helper.VERSION_TABLE
    newest = max(row[2] for row in table)
    for domain in ("", "ai.onnx"):
        assert ir_version_for([onnx.helper.make_opsetid(domain, newest + 1)]) == max(row[1] for row in table)
    assert ir_version_for([onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("own", 99)]) == 7
    assert ir_version_for([]) == 3
