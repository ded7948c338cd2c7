"""The disk cache of compiled kernels: used when warm, safe when shared, stale or missing."""

import itertools
import shutil
from pathlib import Path

import pytest

from softops import numba_kernels

# Sigmoid compiles fastest; one call is enough to compile, or to load.
CALL = """
import numpy as np
from softops import numba_kernels
from softops.numba_kernels.compile import cache

result = numba_kernels.sigmoid(np.array([0.0, np.log(3)], np.float32))
assert np.allclose(result, [0.5, 0.75], rtol=1e-6), result
print(cache.cache_directory())
"""
WHERE = """
from pathlib import Path
from softops.numba_kernels.compile import cache

assert Path(cache.__file__).is_relative_to(PLACE), cache.__file__
print(cache.cache_directory() if ASK else cache.package_key())
"""
SOURCE = Path(numba_kernels.__file__).parent


def contents(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def copy(tmp_path):
    """A copy of the package that a Python with PYTHONPATH=<its first parent> imports in the place of ours."""
    package = tmp_path / "copied" / "softops" / "numba_kernels"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


@pytest.fixture
def ask(run_python):
    """What a copy of the package says: its key, or its cache folder."""

    def asked(package, what, **environment):
        place = package.parents[1]
        code = WHERE.replace("PLACE", repr(str(place))).replace("ASK", repr(what == "folder"))
        options = {"NUMBA_CACHE_DIR": None, "PYTHONDONTWRITEBYTECODE": 1, "PYTHONPATH": place, **environment}
        return run_python(code, **options)

    return asked


def test_two_cold_starts_at_once_then_a_warm_one(start_python, run_python, tmp_path):
    started = [start_python(CALL, NUMBA_CACHE_DIR=tmp_path) for _ in range(2)]
    for process in started:
        output, errors = process.communicate(timeout=240)
        assert (process.returncode, errors) == (0, "")
        assert Path(output.strip()).parent == tmp_path
    cold = contents(tmp_path)
    assert cold
    # A kernel, and no leftover of writing it twice.
    assert len(cold) == len({name.split(".")[0] for name in cold})
    # Loaded, not compiled: Numba is kept from compiling, and the cache stays as it is.
    forbid = """
import numba.core.compiler

def refuse(*arguments, **options):
    raise AssertionError("compiles")

numba.core.compiler.compile_extra = refuse
"""
    run_python(forbid + CALL, NUMBA_CACHE_DIR=tmp_path)
    assert contents(tmp_path) == cold


def test_a_damaged_file_is_compiled_anew(run_python, tmp_path):
    run_python(CALL, NUMBA_CACHE_DIR=tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run_python(CALL, NUMBA_CACHE_DIR=tmp_path)


def test_without_a_folder_to_write_in(run_python, tmp_path):
    """A file stands where the folder's parent should be: no user, not even root, can make the folder."""
    (tmp_path / "file").touch()
    assert run_python(CALL, NUMBA_CACHE_DIR=tmp_path / "file" / "cache") == "None"
    assert contents(tmp_path).keys() == {"file"}


def test_a_read_only_install_uses_the_user_folder(copy, ask, tmp_path):
    assert Path(ask(copy, "folder")).parent == copy / "__pycache__"
    shutil.rmtree(copy / "__pycache__")
    (copy / "__pycache__").touch()
    user = tmp_path / "user"
    assert Path(ask(copy, "folder", XDG_CACHE_HOME=user)).parent == user / "softops"
    home = tmp_path / "home"
    assert Path(ask(copy, "folder", XDG_CACHE_HOME=None, HOME=home)).parent == home / ".cache" / "softops"
    assert ask(copy, "folder", XDG_CACHE_HOME=copy / "__pycache__") == "None"


def test_changed_code_has_another_folder(copy, ask):
    """A module changed, added or renamed in any room: what it helps with is compiled into kernels of others."""
    same = ask(copy, "key")
    assert ask(copy, "key") == same
    module = copy / "numerics" / "exp.py"
    original = module.read_bytes()
    keys = [same]
    module.write_bytes(original + b"\n_CHANGED = 1\n")
    keys.append(ask(copy, "key"))
    module.write_bytes(original)
    assert ask(copy, "key") == same
    names = ("more.py", "vector/more.py", "vector/other.py", "numerics/other.py")
    (copy / names[0]).write_text('"""One module more."""\n')
    keys.append(ask(copy, "key"))
    for name, renamed in itertools.pairwise(names):
        (copy / name).rename(copy / renamed)
        keys.append(ask(copy, "key"))
    assert len(set(keys)) == len(keys)


def test_a_home_that_cannot_be_found(copy, ask):
    """A container may run as a user that has no entry in the list of users, without HOME."""
    code_before = "import os.path\nos.path.expanduser = lambda path: path\n"
    module = copy / "compile" / "cache.py"
    module.write_text(code_before + module.read_text())
    (copy / "__pycache__").touch()
    assert ask(copy, "folder", XDG_CACHE_HOME=None, HOME=None) == "None"


def test_debug_information_can_be_asked_for(run_python, tmp_path):
    code = "import numpy as np; from softops.numba_kernels import logsumexp; print(logsumexp(np.zeros((1, 2)))[0])"
    assert float(run_python(code, NUMBA_CACHE_DIR=tmp_path, NUMBA_DEBUGINFO=1)) == pytest.approx(0.693147)
