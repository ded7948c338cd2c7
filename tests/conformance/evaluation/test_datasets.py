"""Sets that are read a batch at a time: the figures of the same set in memory, and what cannot be read."""

import json
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import onnx
import pytest
from datasets import FORMS, X, Y, model, told, write

from softops.cli.main import run
from softops.conformance import evaluate
from softops.export import classifier_head

NAMES = np.array(["ash", "birch", "elm", "oak"], object)


@pytest.mark.parametrize("form", FORMS)
def test_the_figures_are_those_of_the_set_in_memory(form, tmp_path):
    """Of batches that end within a chunk or row group."""
    arrays = {"features": X, "labels": Y}
    wanted = told(evaluate(model(), write("npz", tmp_path, arrays), batch=64))
    assert told(evaluate(model(), write(form, tmp_path, arrays), batch=64)) == wanted
    assert '"rows": 333' in wanted
    assert '"brier": 0.' in wanted


@pytest.mark.parametrize("form", ["lists", "zarr"])
def test_labels_of_strings(form, tmp_path):
    arrays = {"features": X, "y": NAMES[Y]}
    if form == "zarr":
        arrays["y"] = arrays["y"].astype("U5")
    named = classifier_head(np.eye(4, 6, dtype=np.float32), labels=[*NAMES])
    found = evaluate(named, write(form, tmp_path, arrays), batch=100)
    assert told(found) == told(evaluate(named, {"features": X, "y": NAMES[Y]}, batch=100))


@pytest.mark.parametrize("form", ["npy", "zarr", "lists"])
def test_no_rows(form, tmp_path):
    found = evaluate(model(), write(form, tmp_path, {"features": X[:0], "labels": Y[:0]}))
    assert (found.rows, found.verdict) == (0, "nothing compared")


def test_a_column_for_each_input(tmp_path):
    """Plain columns are inputs of shape (rows, 1), as of pipelines over the columns of a table."""
    net = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]> net (float[N,1] a, float[N,1] b) => (float[N,2] p) {
            x = Concat<axis = 1>(a, b) p = Softmax(x)
        }
    """)
    columns = {"a": X[:, 0].copy(), "b": X[:, 1].copy(), "y": (X[:, 1] > X[:, 0]).astype(int)}
    found = evaluate(net, write("columns", tmp_path, columns))
    assert found.scores["onnxruntime"].accuracy == 1
    assert found.passed


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_bits_of_bfloat16_in_every_batch(form, tmp_path):
    """Files have no name for it: it comes as uint16, in the last batch as in the first."""
    net = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]> net (bfloat16[N,6] features) => (float[N,6] p) {
            x = Cast<to = 1>(features) p = Softmax(x)
        }
    """)
    x = X.astype(ml_dtypes.bfloat16)
    path = write(form, tmp_path, {"features": x.view(np.uint16)})
    found = evaluate(net, path, ["onnx.reference"], batch=100)
    assert told(found) == told(evaluate(net, {"features": x}, ["onnx.reference"], batch=100))
    assert found.passed


@pytest.mark.parametrize("form", ["npy", "zarr", "lists"])
def test_it_is_not_loaded_whole(form, tmp_path):
    x = np.random.default_rng(0).standard_normal((1500, 4_000)).astype(np.float32)
    path = write(form, tmp_path, {"features": x, "labels": np.zeros(len(x), int)})
    size, head = x.nbytes, classifier_head(np.ones((3, x.shape[1]), np.float32))
    evaluate(head, {"features": x[:9]})  # compiles
    del x
    tracemalloc.start()
    assert evaluate(head, path, batch=50).rows == 1500
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 2


def pickled(folder):
    np.save(folder / "features.npy", np.array([{}] * 9, object))


def unequal(folder):
    np.save(folder / "features.npy", X)
    np.save(folder / "labels.npy", Y[:-1])


def other_name(folder):
    np.save(folder / "x.npy", X)


def double(folder):
    np.save(folder / "features.npy", X.astype(float))


def cut_short(folder):
    np.save(folder / "features.npy", X)
    content = (folder / "features.npy").read_bytes()
    (folder / "features.npy").write_bytes(content[:500])


def parquet(**columns):
    def make(folder):
        pa, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        files.write_table(pa.table(columns), folder / "set.parquet")

    return make


def no_parquet(folder):
    pytest.importorskip("pyarrow")
    (folder / "set.parquet").write_bytes(b"PAR1 and more")


def no_group(folder):
    pytest.importorskip("zarr")
    (folder / "set.zarr").mkdir()


def zarr_of(change):
    """An array of Zarr whose description is changed."""

    def make(folder):
        zarr = pytest.importorskip("zarr")
        group = zarr.open_group(folder / "set.zarr", mode="w", zarr_format=2)
        group.create_array("features", shape=X.shape, dtype="f4", filters=None)[...] = X
        file = folder / "set.zarr/features/.zarray"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return make


PICKLE = {"id": "pickle", "protocol": 5}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (pickled, "features.npy: expected a .npy file of a plain array"),
        (cut_short, "features.npy: expected a .npy file of a plain array"),
        (unequal, "a label for each row"),
        (other_name, "none named features among x"),
        (double, "features in float32 (got float64)"),
        (lambda folder: None, "a folder of .npy files"),
        (no_parquet, "expected a Parquet file"),
        (parquet(features=[[1.0, 2.0], [3.0]]), "lists of one length in features (got 1 to 2)"),
        (parquet(features=[[1.0], None]), "no missing values in features (got 1)"),
        (parquet(a=[1.0], b=[1]), "columns of one type for the input features (got double, int64)"),
        (parquet(features=[[b"a"]]), "features of numbers, strings, or lists of them (got binary)"),
        (parquet(name=["a"]), "none named features among name"),
        (no_group, "expected a group of Zarr"),
        (zarr_of(lambda told: told.update(compressor=PICKLE)), "arrays of numbers or strings"),
        (zarr_of(lambda told: told.update(filters=[PICKLE])), "arrays of numbers or strings"),
        (zarr_of(lambda told: told.update(dtype="|O", filters=[PICKLE])), "arrays of numbers or strings"),
        (
            zarr_of(lambda told: told.update(compressor={"id": "zlib", "level": 1})),
            "rows of features that zarr can read",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(make, said, tmp_path, capsys):
    onnx.save(model(), tmp_path / "head.onnx")
    folder = tmp_path / "set"
    folder.mkdir()
    make(folder)
    path = next((path for path in folder.iterdir() if path.suffix in (".zarr", ".parquet")), folder)
    assert run(["validate", str(tmp_path / "head.onnx"), "--dataset", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_a_set_that_is_not_there(tmp_path):
    for name in ("set.zarr", "set.parquet", "set", "set.npz"):
        with pytest.raises(FileNotFoundError, match=name):
            evaluate(model(), tmp_path / name)


@pytest.mark.parametrize(("form", "package"), [("zarr", "zarr"), ("lists", "pyarrow")])
def test_what_is_not_installed_is_named_with_its_extra(form, package, tmp_path, monkeypatch):
    path = write(form, tmp_path, {"features": X})
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"package {package} .*pip install 'softops\[datasets\]'"):
        evaluate(model(), path)
