"""`softops export head`: options of the head, .safetensors files, and --check."""

import json
import struct
import sys
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import log_softmax, softmax

from softops.cli.main import run
from softops.conformance.runtimes.softops import SoftopsRuntime

RANDOM = np.random.default_rng(2)
WEIGHT, BIAS, X = (RANDOM.normal(size=shape).astype("float32") for shape in ((4, 3), 4, (6, 3)))


def safetensors_bytes(**arrays):
    """The format by its description, https://github.com/huggingface/safetensors#format."""
    names = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}
    header, data = {}, b""
    for name, array in arrays.items():
        stop = len(data) + array.nbytes
        header[name] = {
            "dtype": names[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [len(data), stop],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with weights.npz and model.safetensors, the latter of a whole network."""
    monkeypatch.chdir(tmp_path)
    np.savez("weights.npz", weight=WEIGHT, bias=BIAS)
    arrays = {"body.weight": np.zeros((2, 2), "float32"), "head.weight": WEIGHT, "head.bias": BIAS}
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes(**arrays))
    return tmp_path


def head(*options, weights="weights.npz", out="head.onnx"):
    return run(["export", "head", weights, "-o", out, *options])


def refused(capsys, *options, **files):
    assert head(*options, **files) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def outputs(path="head.onnx"):
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": X}), strict=True))


def test_temperature_outputs_and_top_k_are_those_asked_for(folder, capsys):
    assert head("--temperature", "2.5", "--outputs", "logits, top_k,log_probabilities", "--top-k", "2") == 0
    got = outputs()
    assert list(got) == ["logits", "top_k_values", "top_k_indices", "top_k_labels", "log_probabilities"]
    logits = X @ WEIGHT.T + BIAS
    np.testing.assert_allclose(got["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(got["log_probabilities"], log_softmax(logits / 2.5, 1), atol=1e-5)
    np.testing.assert_array_equal(got["top_k_indices"], np.argsort(-logits, 1)[:, :2])
    assert "top_k_indices int64[batch, 2]" in capsys.readouterr().out


def test_threshold_names_batch_text_and_metadata_are_kept(folder, capsys):
    (folder / "names.txt").write_text("a\nb\nc\nd\n")
    more = ["--labels", "names.txt", "--threshold", "0.6", "--abstain-label", "none", "--batch", "6"]
    more += ["--name", "features=x", "--name", "label=class", "--doc-string", "what it is"]
    more += ["--metadata", "author=some=body", "--metadata", "note="]
    assert head(*more, "--check") == 0
    assert (
        "in   x float[6, 3]\n  out  class string[6], probabilities float[6, 4]\n" in capsys.readouterr().out
    )
    label, p = onnxruntime.InferenceSession("head.onnx").run(None, {"x": X})
    wanted = np.where(p.max(1) >= 0.6, np.array(list("abcd"), object)[p.argmax(1)], "none")
    assert label.tolist() == wanted.tolist()
    assert "none" in label
    model = onnx.load("head.onnx")
    assert model.doc_string == "what it is"
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert (metadata["author"], metadata["note"], metadata["softops.threshold"]) == ("some=body", "", "0.6")


def test_maps_and_a_number_to_abstain_with(folder):
    assert head("--zipmap", "--threshold", "0.999", "--abstain-label", "-9", "--batch", "rows") == 0
    got = outputs()
    assert set(got["label"]) <= {-9, 0, 1, 2, 3}
    assert -9 in got["label"]
    assert [sorted(row) for row in got["probabilities"]] == [[0, 1, 2, 3]] * len(X)
    assert onnx.load("head.onnx").graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"


def test_a_runtime_picks_the_opset_and_a_dtype_rounds_the_weights(folder, capsys):
    assert head("--for-runtime", "onnxruntime==1.17", "--dtype", "float16") == 0
    said = capsys.readouterr().out
    assert "opset ai.onnx 20, IR version 9\n" in said
    assert "features float16[batch, 3]" in said
    stored = {tensor.data_type for tensor in onnx.load("head.onnx").graph.initializer}
    assert stored == {onnx.TensorProto.FLOAT16}


def test_a_layer_of_a_safetensors_file_is_read(folder, capsys):
    assert head("--layer", "head", weights="model.safetensors") == 0
    np.testing.assert_allclose(outputs()["probabilities"], softmax(X @ WEIGHT.T + BIAS, 1), rtol=1e-5)
    capsys.readouterr()
    assert "--layer head" in refused(capsys, weights="model.safetensors", out="b.onnx")
    assert "neck.weight" in refused(capsys, "--layer", "neck", weights="model.safetensors", out="b.onnx")


def test_bfloat16_of_a_safetensors_file_stays_bfloat16(folder):
    (folder / "bf.safetensors").write_bytes(safetensors_bytes(weight=WEIGHT.astype(ml_dtypes.bfloat16)))
    assert head(weights="bf.safetensors") == 0
    (stored,) = onnx.load("head.onnx").graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored), WEIGHT.astype(ml_dtypes.bfloat16))


def test_a_layer_of_an_npz_file_is_read_and_nothing_else_in_it(folder, capsys):
    objects = np.array([{}], object)  # which would have to be unpickled
    np.savez("net.npz", **{"head.weight": WEIGHT, "body.weight": objects, "head.bias": BIAS})
    assert head("--layer", "head", weights="net.npz") == 0
    np.testing.assert_allclose(outputs()["probabilities"], softmax(X @ WEIGHT.T + BIAS, 1), rtol=1e-5)
    capsys.readouterr()
    assert "plain arrays" in refused(capsys, "--layer", "body", weights="net.npz", out="b.onnx")
    assert "--layer body" in refused(capsys, weights="net.npz", out="b.onnx")


def test_bfloat16_of_an_npz_file_stays_bfloat16(folder):
    halves = WEIGHT.astype(ml_dtypes.bfloat16)
    np.savez("bf.npz", weight=halves, bias=BIAS.astype(ml_dtypes.bfloat16))
    assert head(weights="bf.npz") == 0
    stored = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load("head.onnx").graph.initializer
    }
    np.testing.assert_array_equal(stored["weight"], halves, strict=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a .safetensors file"),
        (b"no such thing at all", "expected a .safetensors file"),
        (safetensors_bytes(weight=WEIGHT)[:-3], "expected a .safetensors file"),
        (safetensors_bytes(weight=WEIGHT.astype("int64")), "got I64"),
        (safetensors_bytes(), "got none"),
        (safetensors_bytes(weight=WEIGHT * np.float32(np.nan)), "nan"),
    ],
)
def test_rubbish_in_a_safetensors_file_is_named_and_nothing_is_written(folder, capsys, content, said):
    (folder / "bad.safetensors").write_bytes(content)
    assert said in refused(capsys, weights="bad.safetensors")
    assert not (folder / "head.onnx").exists()


def test_without_the_package_the_extra_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install 'softops[safetensors]'" in refused(capsys, weights="model.safetensors")


@pytest.mark.parametrize("out", ["missing.safetensors", "."])
def test_a_file_that_is_none_is_named(folder, capsys, out):
    assert out in refused(capsys, weights=out)


def test_check_says_that_it_is_right(folder, capsys):
    assert head("--check", "--top-k", "3") == 0
    assert capsys.readouterr().out.startswith(f"onnxruntime {onnxruntime.__version__} computes it right")
    assert (folder / "head.onnx").exists()


def test_check_writes_nothing_that_is_wrong_and_exits_with_1(folder, capsys, monkeypatch):
    class Sloppy(SoftopsRuntime):
        """A runtime whose floats are off by a thousandth."""

        name = "onnxruntime"

        def load(self, model):
            right = super().load(model)
            return lambda feeds: [x * np.float32(1.001) if x.dtype.kind == "f" else x for x in right(feeds)]

    entry = SimpleNamespace(load=lambda: lambda options: Sloppy())
    monkeypatch.setattr(
        sys.modules["softops.conformance.runtimes.names"], "_entries", lambda: {"onnxruntime": entry}
    )
    (folder / "head.onnx").write_text("precious")
    assert head("--check", "--force") == 1
    assert "computes it wrong; head.onnx was not written" in capsys.readouterr().out
    assert (folder / "head.onnx").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--temperature", "0"], "above 0"),
        (["--temperature", "warm"], "--temperature"),
        (["--top-k", "5"], "from 1 to 4"),
        (["--outputs", "label,zork"], "zork"),
        (["--outputs", ""], "''"),
        (["--dtype", "int8"], "int8"),
        (["--threshold", "2"], "between 0 and 1"),
        (["--threshold", "0.5", "--abstain-label", "none"], "integer, like the labels"),
        (["--abstain-label", "9"], "threshold beside"),
        (["--batch", "0"], "batch from 1"),
        (["--name", "features"], "--name a=b"),
        (["--name", "features=a", "--name", "features=b"], "--name once for each"),
        (["--name", "logits=a"], "'logits'"),
        (["--metadata", "=a"], "--metadata a=b"),
        (["--metadata", "softops.labels=a"], "keys of your own"),
        (["--zipmap", "--dtype", "float64"], "float32 for zipmap"),
        (["--for-runtime", "not-installed-anywhere"], "onnxruntime==1.17"),
        (["--for-runtime", "abacus==1"], "abacus"),
        (["--for-runtime", "onnxruntime==1.17", "--opset", "21"], "up to 20"),
        (["--check", "--activation", "hardmax", "--dtype", "float64"], "Hardmax"),
    ],
)
def test_options_that_make_no_sense_are_named_and_nothing_is_written(folder, capsys, options, said):
    assert said in refused(capsys, *options)
    assert not (folder / "head.onnx").exists()
