"""A standard output that is full, closed, or of few characters, and what becomes of the file that was asked for."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from softops.cli.terminal.visible import visible

SOFTOPS = Path(sys.executable).with_name("softops")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("output")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path / "m.onnx"
    )
    return path


def shell(line, folder):
    return subprocess.run(
        ["bash", "-c", line.replace("softops", str(SOFTOPS))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_under_the_output_is_said_and_the_file_is_whole(folder):
    done = shell("softops convert m.onnx --opset 17 -o full.onnx > /dev/full", folder)
    assert (done.returncode, done.stderr) == (74, "softops: standard output: no space left on device\n")
    onnx.checker.check_model(onnx.load(folder / "full.onnx"))


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("softops operators --json | true; exit ${PIPESTATUS[0]}", 141),
        ("softops convert m.onnx --opset 17 -o closed.onnx >&-", 0),
        ("PYTHONIOENCODING=ascii softops convert m.onnx --opset 17 -o ascii.onnx", 0),
        ("PYTHONIOENCODING=ascii softops validate m.onnx", 0),
    ],
    ids=["reader is gone", "closed", "ascii", "ascii tables"],
)
def test_an_output_that_takes_less_is_no_error(line, code, folder):
    done = shell(line, folder)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_file_whose_name_is_no_text(folder):
    odd = folder / "\udcff.onnx"
    odd.write_bytes((folder / "m.onnx").read_bytes())
    for words in (
        ["inspect"],
        ["validate", "--report", "r.html"],
        ["convert", "--opset", "17", "-o", "\udcfe.onnx"],
    ):
        done = subprocess.run(
            [SOFTOPS, words[0], odd.name, *words[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert visible("\udcff") in done.stdout or words[0] == "convert"
    onnx.checker.check_model(onnx.load_from_string((folder / "\udcfe.onnx").read_bytes()))


def test_a_name_as_long_as_they_can_be(folder):
    name = "n" * (255 - len(".onnx")) + ".onnx"
    done = shell(
        f"softops convert m.onnx --opset 17 -o {name} && softops export fuse {name} -o {name} --force", folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    onnx.checker.check_model(onnx.load(folder / name))
