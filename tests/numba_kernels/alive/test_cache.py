"""The disk cache among many processes, with damaged files, full disks and interrupts: right results, no error."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softops import numba_kernels

CALL = """
import json, os
import numpy as np
from softops import numba_kernels
from softops.numba_kernels.compile import cache

BEFORE

saved = []
save = cache.KernelCache.save_overload
cache.KernelCache.save_overload = lambda *arguments: (saved.append(1), save(*arguments))
result = numba_kernels.sigmoid(np.array([0.0, np.log(3)], np.float32))
assert np.allclose(result, [0.5, 0.75], rtol=1e-6, atol=0), result
print(json.dumps([len(saved), str(cache.cache_directory())]))
"""


def start(before: str = "", **environment: object) -> subprocess.Popen:
    merged = {**os.environ, **{name: value and str(value) for name, value in environment.items()}}
    return subprocess.Popen(
        [sys.executable, "-c", CALL.replace("BEFORE", before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in merged.items() if value is not None},
    )


def end(process: subprocess.Popen) -> tuple[int, str]:
    """How many kernels the process compiled, and its cache folder."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, (process.returncode, errors[-2000:])
    compiled, folder = json.loads(output)
    return compiled, folder


def call(before: str = "", **environment: object) -> tuple[int, str]:
    return end(start(before, **environment))


def where(before: str = "", **environment: object) -> str:
    """The cache folder of a process that calls no kernel."""
    return call(
        before + "\nprint(json.dumps([0, str(cache.cache_directory())]))\nraise SystemExit\n", **environment
    )[1]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that holds the kernel."""
    folder = tmp_path_factory.mktemp("filled")
    assert call(NUMBA_CACHE_DIR=folder)[0] == 1
    return folder


@pytest.fixture
def cache(filled, tmp_path):
    """A copy of it to do harm to."""
    return Path(shutil.copytree(filled, tmp_path / "cache"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_many_cold_starts_at_once(tmp_path, count):
    for process in [start(NUMBA_CACHE_DIR=tmp_path) for _ in range(count)]:
        end(process)
    assert len(files(tmp_path)) == 1
    assert call(NUMBA_CACHE_DIR=tmp_path)[0] == 0


DAMAGES = {
    "a byte changed": lambda whole: whole[:-500] + bytes([whole[-500] ^ 0x40]) + whole[-499:],
    "empty": lambda whole: b"",
    "cut off": lambda whole: whole[: len(whole) // 2],
    "too long": lambda whole: whole + b"more",
    "garbage": lambda whole: b"garbage" * 1000,
}


@pytest.mark.parametrize(
    "damage",
    [name if name == "a byte changed" else pytest.param(name, marks=pytest.mark.slow) for name in DAMAGES],
)
def test_damaged_files_are_compiled_anew_and_replaced(cache, damage):
    """A changed byte amid machine code would be run and could do anything; the hash tells."""
    (file,) = files(cache)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert call(NUMBA_CACHE_DIR=cache)[0] == 1
    assert files(cache) == [file]
    assert call(NUMBA_CACHE_DIR=cache)[0] == 0


TWO = "numba_kernels.sigmoid(np.zeros(3)), numba_kernels.sigmoid(np.zeros(3, np.float32))"


def test_a_file_under_another_name_is_not_loaded(tmp_path):
    """Kernels whose files have been exchanged: each would run with another's numbers."""
    call(TWO, NUMBA_CACHE_DIR=tmp_path)
    places = files(tmp_path)
    contents = [place.read_bytes() for place in places]
    for place, content in zip(places, contents[1:] + contents[:1], strict=True):
        place.write_bytes(content)
    assert call(NUMBA_CACHE_DIR=tmp_path)[0] == 1
    assert call(NUMBA_CACHE_DIR=tmp_path)[0] == 0


@pytest.mark.parametrize(
    "payload",
    [
        "whole[:-9]",
        "pickle.dumps((1, 2, 3))",
        *(
            pytest.param(other, marks=pytest.mark.slow)
            for other in ("b''", "b'garbage'", "pickle.dumps(3)", "pickle.dumps([None] * 9)")
        ),
    ],
)
def test_a_payload_that_cannot_be_rebuilt_is_compiled_anew(cache, payload):
    """Its hash is right: written by a Numba that has the number of this one, but not its code."""
    rewrite = f"""
import pickle
import numba.core.compiler

name = cache.KernelCache._name
def rewritten(self, *arguments):
    file, key = name(self, *arguments)
    for path in cache.cache_directory().glob("*.bin"):
        whole = path.read_bytes()[32:]
        payload = {payload}
        path.write_bytes(cache._digest(key, payload) + payload)
    cache.KernelCache._name = name
    return file, key

cache.KernelCache._name = rewritten
"""
    assert call(rewrite, NUMBA_CACHE_DIR=cache)[0] == 1
    assert call(NUMBA_CACHE_DIR=cache)[0] == 0


def test_nothing_is_unpickled_before_the_hash_is_right(cache):
    """Unpickling runs code."""
    (file,) = files(cache)
    harm = "import pickle\nclass Harm:\n    def __reduce__(self):\n        return print, ('harm',)\n"
    scope = {}
    exec(harm + "content = pickle.dumps(Harm())", scope)
    for front in (b"", bytes(32), file.read_bytes()[:32]):
        file.write_bytes(front + scope["content"])
        assert call(NUMBA_CACHE_DIR=cache)[0] == 1  # `call` reads all that is printed


def test_a_full_disk_costs_the_cache_alone(tmp_path):
    full = """
def write_bytes(path, content):
    with path.open("wb") as file:
        file.write(content[:100])
    raise OSError(28, "No space left on device")

cache.Path.write_bytes = write_bytes
"""
    assert call(full, NUMBA_CACHE_DIR=tmp_path)[0] == 1
    assert files(tmp_path) == []


def test_an_interrupted_write_leaves_nothing(tmp_path):
    interrupted = """
write_bytes = cache.Path.write_bytes

def interrupt(path, content):
    write_bytes(path, content[:100])
    cache.Path.write_bytes = write_bytes
    raise KeyboardInterrupt

cache.Path.write_bytes = interrupt
try:
    numba_kernels.sigmoid(np.zeros(3, np.float32))
except KeyboardInterrupt:
    assert os.listdir(cache.cache_directory()) == []
else:
    raise AssertionError("not interrupted")
"""
    call(interrupted, NUMBA_CACHE_DIR=tmp_path)  # and the next call in the same process is right
    assert files(tmp_path) == []


def test_a_read_only_install_is_read_from(filled, tmp_path):
    """An image filled by root and used by another: its kernels are loaded, new ones go to the user's folder."""
    package = tmp_path / "install" / "softops" / "numba_kernels"
    source = Path(numba_kernels.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    (key,) = filled.iterdir()
    shutil.copytree(key, package / "__pycache__" / key.name)
    # Permissions would not keep root from writing.
    read_only = f"""
from softops.numba_kernels.compile.cache import tempfile
real = tempfile.TemporaryFile

def temporary(*arguments, dir, **options):
    if dir.is_relative_to({str(package)!r}):
        raise PermissionError(13, "Permission denied", str(dir))
    return real(*arguments, dir=dir, **options)

tempfile.TemporaryFile = temporary
cache._folders.cache_clear()
"""
    compiled, folder = call(
        read_only,
        NUMBA_CACHE_DIR=None,
        XDG_CACHE_HOME=tmp_path / "user",
        PYTHONPATH=package.parents[1],
        PYTHONDONTWRITEBYTECODE=1,
    )
    assert Path(folder) == tmp_path / "user" / "softops" / key.name
    assert compiled == 0


def test_others_may_read_the_files(filled):
    (file,) = files(filled)
    probe = file.with_name("probe")
    probe.touch()
    assert file.stat().st_mode == probe.stat().st_mode
    probe.unlink()


def test_folders_of_old_versions_go_after_a_month(tmp_path):
    """They go when a new version makes its folder, and nothing else that lies there goes."""
    month = 31 * 24 * 3600
    names = ["kernels-0123456789abcdef", "kernels-fedcba9876543210", "kernels-mine", "other"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        if name != "kernels-fedcba9876543210":
            os.utime(tmp_path / name, (time.time() - month,) * 2)
    folder = where(NUMBA_CACHE_DIR=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], Path(folder).name}


def test_a_package_that_cannot_be_read_has_no_cache(tmp_path):
    """Imported from a zip file, say: nothing would tell its code from that of the version before."""
    unread = """
from pathlib import Path
cache._PACKAGE = Path("/no/such/folder")
cache.package_key.cache_clear()
cache._folders.cache_clear()
"""
    assert where(unread, NUMBA_CACHE_DIR=tmp_path / "cache") == "None"
    assert not files(tmp_path)
