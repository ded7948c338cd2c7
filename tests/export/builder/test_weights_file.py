"""Weights in a file beside the model: the same model, nothing half-written, no copy in memory."""

import inspect
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import lm_head
from softops.export.builder import weights_file
from softops.opset.backend import prepare

RANDOM = np.random.default_rng(1)
WEIGHT = RANDOM.normal(size=(300, 16)).astype(np.float32)
STATES = RANDOM.normal(size=(2, 3, 16)).astype(np.float32)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(weights_file, "_CHUNK_BYTES", 1000)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("opset", [9, 13, 17, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_the_model_is_the_same(opset, dtype, tmp_path):
    path = tmp_path / "head.onnx"
    options = {"top_k": 4, "opset": opset, "dtype": dtype}
    returned = lm_head(WEIGHT, external_from=1, path=path, **options)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["head.onnx", "head.onnx.data"]
    assert (tmp_path / "head.onnx.data").read_bytes() == WEIGHT.astype(dtype).tobytes()
    assert path.read_bytes() == returned.SerializeToString(deterministic=True)
    inside = lm_head(WEIGHT, **options)
    feeds = {"hidden_states": STATES.astype(dtype)}
    wanted = onnxruntime.InferenceSession(inside.SerializeToString()).run(None, feeds)
    for actual in (onnxruntime.InferenceSession(path).run(None, feeds), prepare(path).run(feeds)):
        np.testing.assert_array_equal(actual[1], wanted[1])
        # matrix products of another implementation, of 16 terms
        np.testing.assert_allclose(actual[0], wanted[0], rtol=1e-3 if dtype == "float16" else 1e-5)


@pytest.mark.usefixtures("small_chunks")
def test_a_memory_map_of_halves_in_any_order(tmp_path):
    halves = WEIGHT.astype(ml_dtypes.bfloat16)
    halves.tofile(tmp_path / "weight.bin")
    mapped = np.memmap(tmp_path / "weight.bin", np.uint16, "r", shape=WEIGHT.shape).view(ml_dtypes.bfloat16)
    lm_head(mapped, external_from=1, path=tmp_path / "head.onnx")
    assert (tmp_path / "head.onnx.data").read_bytes() == halves.tobytes()
    lm_head(np.asfortranarray(WEIGHT), external_from=1, path=tmp_path / "other.onnx")
    assert (tmp_path / "other.onnx.data").read_bytes() == WEIGHT.tobytes()


@pytest.mark.usefixtures("small_chunks")
def test_what_was_there_is_replaced_and_a_failure_leaves_it(tmp_path):
    path = tmp_path / "head.onnx"
    lm_head(WEIGHT, external_from=1, path=path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    spoiled = WEIGHT.copy()
    spoiled[290, 7] = np.nan
    with pytest.raises(ValueError, match=r"weight of finite float32 numbers \(got nan at \[290, 7\]\)"):
        lm_head(spoiled, external_from=1, path=path)
    with pytest.raises(ValueError, match=r"weight of finite float16 numbers \(got inf at \[299, 0\]\)"):
        lm_head(np.vstack([WEIGHT[:-1], WEIGHT[-1:] + 1e6]), external_from=1, dtype="float16", path=path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    lm_head(-WEIGHT, external_from=1, path=path)
    assert (tmp_path / "head.onnx.data").read_bytes() == (-WEIGHT).tobytes()


def test_one_file_is_asked_to_hold_less_than_its_2_gib_by_default():
    default = inspect.signature(lm_head).parameters["external_from"].default
    assert 2**31 - 2**26 < default < 2**31 - 2**20  # beside the weight there are a bias and labels


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"expected a path for a weight of 19,200 bytes.*pass path="):
        lm_head(WEIGHT, external_from=19200)
    assert lm_head(WEIGHT, external_from=19201).graph.initializer[0].raw_data
    with pytest.raises(ValueError, match=r"opset 9 or newer.*got 8"):
        lm_head(WEIGHT, external_from=1, opset=8, path=tmp_path / "head.onnx")
    with pytest.raises(FileNotFoundError, match="make it first"):
        lm_head(WEIGHT, external_from=1, path=tmp_path / "none" / "head.onnx")
    with pytest.raises(IsADirectoryError, match="add a file name"):
        lm_head(WEIGHT, external_from=1, path=tmp_path)
    assert list(tmp_path.iterdir()) == []


LARGE = """
import sys, threading, time
import numpy as np
from softops.export import lm_head

def own():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) * 1024

peak, done = 0, threading.Event()
def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, own())

folder = sys.argv[1]
weight = np.memmap(f"{folder}/weight.bin", np.float32, "r", shape=(1_100_000, 512))
watcher = threading.Thread(target=watch)
watcher.start()
lm_head(weight, path=f"{folder}/head.onnx", top_k=2)
done.set()
watcher.join()
print(peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much memory a process has")
def test_more_than_two_gigabytes_are_never_in_memory(tmp_path):
    """A sparse file of zeros but for two rows: written in pieces, then run."""
    shape = (1_100_000, 512)
    weight = np.memmap(tmp_path / "weight.bin", np.float32, "w+", shape=shape)
    weight[-1], weight[7] = 1, 0.5
    weight.flush()
    del weight
    run = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    # Python, its libraries and a piece of 32 MB, checked: far from the 2.2 GB of the weights.
    assert int(run.stdout) < 400e6
    assert (tmp_path / "head.onnx.data").stat().st_size == 4 * shape[0] * shape[1] > 2**31
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_prepacking", "1")
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx", options)
    _, indices = session.run(None, {"hidden_states": np.ones((1, 2, 512), np.float32)})
    assert indices.tolist() == [[1_099_999, 7]]
