"""A file is whole or not there."""

import os
import stat

import numpy as np
import onnx
import pytest

from softops.export import classifier_head
from softops.opset.graph import files
from softops.opset.graph.files import save_model, write_atomic


@pytest.fixture
def model():
    return classifier_head(np.eye(3, dtype=np.float32))


def test_a_saved_model_is_read_back(model, tmp_path):
    save_model(model, tmp_path / "a.onnx")
    save_model(model, str(tmp_path / "b.onnx"))
    assert onnx.load(tmp_path / "a.onnx") == model
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.onnx", "b.onnx"]


def test_a_failure_leaves_the_old_content_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.onnx"]


def test_a_place_that_is_none_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing"):
        save_model(model, tmp_path / "missing" / "a.onnx")
    with pytest.raises(IsADirectoryError, match="got the folder"):
        save_model(model, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="device or pipe"):
        write_atomic(pipe, b"x")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_link_is_written_through(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    old = os.umask(0o022)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_more_than_a_file_holds_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MODEL_BYTES_MAX", 10)
    with pytest.raises(ValueError, match="under 2 GiB"):
        save_model(model, tmp_path / "a.onnx")
    assert not os.listdir(tmp_path)
