"""The disk cache of compiled kernels, safe against stale, damaged and half-written code.

Numba keys a cached function by its own bytecode and the content of its own source file. A kernel here is compiled
together with helpers from other modules, whose change Numba would not see (numba#1833). So the whole package is the
key: every module's bytes, the versions of softops, Numba, llvmlite and NumPy name the folder that the compiled code
lies in, and a changed package starts in a new one. Whoever makes a new folder removes those of other versions that
nothing was written to for a month.

Kernels are written to the first folder that can be written to: ``$NUMBA_CACHE_DIR``, or else ``__pycache__`` beside the
modules, the user's cache folder. They are read from the folders before it as well: an image may have been filled by
root. Where nothing can be written or read, kernels are compiled anew in every process, without an error. Like every
Numba cache it holds pickled code objects and must not be writable by people one does not trust.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np

from ..vector.numba_internals import Cache, CompileResult, dumps, rtsys
from .environment import in_default_arithmetic
from .interrupts import without_interrupts

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDER_NAME = re.compile(r"kernels-[0-9a-f]{16}")
_STALE_AFTER = 30 * 24 * 3600  # seconds
_DIGEST_SIZE = 32


@functools.cache
def package_key() -> str:
    """A name for this very code: a hash of all modules of the package and of the versions that compile it.

    Empty where the modules cannot be read (from a zip file, say): then nothing tells new code from old.
    """
    digest = hashlib.sha256()
    modules = sorted(_PACKAGE.rglob("*.py"))
    for module in modules:
        digest.update(module.relative_to(_PACKAGE).as_posix().encode())
        digest.update(module.read_bytes())
    for version in (numba.__version__, llvmlite.__version__, np.__version__, sys.version):
        digest.update(version.encode())
    return digest.hexdigest()[:16] if modules else ""


def _candidates() -> Iterator[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        yield Path(named)
        return
    yield _PACKAGE / "__pycache__"
    if os.name == "nt":
        user = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    else:
        user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not user.startswith("~"):  # a container's user may have no home
        yield Path(user) / "softops"


def _remove_stale(base: Path) -> None:
    """Remove the folders of other versions that nothing was written to for a month."""
    with contextlib.suppress(OSError):
        for folder in base.iterdir():
            if _FOLDER_NAME.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _STALE_AFTER:
                shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _folders() -> tuple[tuple[Path, ...], Path | None]:
    """The folders to look for kernels in, and the one to write them to, made if need be."""
    key = package_key()
    seen: list[Path] = []
    for base in _candidates() if key else ():
        folder = base / f"kernels-{key}"
        seen.append(folder)
        try:
            new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        if new:
            _remove_stale(base)
        return tuple(seen), folder
    return tuple(seen), None


def cache_directory() -> Path | None:
    """The folder that compiled kernels are written to; None where nothing can be written."""
    return _folders()[1]


def _plain(value: Any) -> Any:
    """The Python function behind a jitted or traced one."""
    return getattr(value, "py_func", None) or getattr(value, "function", value)


def identity(value: Any) -> Any:
    """What tells the code of a function from that of every other: its place, and what it closes over."""
    if isinstance(value, tuple):
        return [identity(each) for each in value]
    function = _plain(value)
    if not hasattr(function, "__code__"):
        return repr(value)
    cells = [identity(cell.cell_contents) for cell in function.__closure__ or ()]
    return function.__module__, function.__qualname__, function.__code__.co_firstlineno, cells


def _title(function: Any) -> str:
    """A name for people: that of the function, and of the first helper that it is made of."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    inner = [_plain(each) for cell in cells for each in (cell if isinstance(cell, tuple) else (cell,))]
    names = [f.__name__ for f in (*inner, function) if hasattr(f, "__code__")]
    return "-".join((names[0], names[-1])).strip("_")


def _digest(key: bytes, payload: bytes | memoryview) -> bytes:
    """What tells a file's content, and that it belongs to its name."""
    digest = hashlib.sha256(len(key).to_bytes(8) + key)
    digest.update(payload)
    return digest.digest()


class KernelCache(Cache):
    """One file per compiled signature, named by what it was compiled from and for; no index.

    Numba's own cache keeps an index per function that two processes starting at once overwrite for each other
    (numba#4807), so that a name can come to stand for another signature's code. Here a file's name is the hash of
    everything that decides its content, it appears complete or not at all, and at its front stands a hash of all that
    and of its content: nothing is read from it before it is known to be what was written, and under this name.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    @property
    def cache_path(self) -> str:
        return str(cache_directory())

    def enable(self) -> None:
        """Nothing to do: the cache is on from the start."""

    def disable(self) -> None:
        """Nothing to do: NUMBA_CACHE_DIR says where it lies, an unwritable place turns it off."""

    def flush(self) -> None:
        """Nothing to do: a changed package has another folder."""

    def _name(self, signature: Any, codegen: Any) -> tuple[str, bytes]:
        """The name of a file, and all that decides its content."""
        key = repr((package_key(), identity(self._function), signature, codegen.magic_tuple())).encode()
        return f"{_title(self._function)}-{hashlib.sha256(key).hexdigest()[:24]}", key

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for a signature; None where no folder holds it whole."""
        # Numba's own cache loads everything here that it can compile, SciPy's linear algebra among it: 0.5 s. Code that
        # is compiled already needs the run-time functions alone, and a later compilation loads the rest itself.
        rtsys.initialize(target_context)
        name, key = self._name(sig, target_context.codegen())
        for folder in _folders()[0]:
            try:
                content = (folder / f"{name}.bin").read_bytes()
            except OSError:
                continue
            payload = memoryview(content)[_DIGEST_SIZE:]
            if _digest(key, payload) == content[:_DIGEST_SIZE]:
                # what cannot be put together again, by whatever error, is compiled
                with contextlib.suppress(Exception):
                    return CompileResult._rebuild(target_context, *pickle.loads(payload))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the code compiled for a signature, or leave it: a full disk costs the cache, not the call."""
        folder = cache_directory()
        if (
            folder is None
            or data.library.has_dynamic_globals
            or any(not lift.can_cache for lift in data.lifted)
        ):
            return
        name, key = self._name(sig, data.codegen)
        payload = dumps(data._reduce())
        # Not a file of `tempfile`, which only its owner may read: others may share the folder.
        unfinished = folder / f"{name}.{secrets.token_hex(8)}.tmp"
        try:
            unfinished.write_bytes(_digest(key, payload) + payload)
            os.replace(unfinished, folder / f"{name}.bin")
        except BaseException as error:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise


def _not_compiled(*_: Any) -> Any:
    message = "kernels run compiled (got NUMBA_DISABLE_JIT=1, which turns the compiler off); unset NUMBA_DISABLE_JIT"
    raise RuntimeError(message)


def enable_cache(dispatcher: Any) -> Any:
    """Give a dispatcher the package's disk cache, and compilations in default arithmetic that no interrupt ends."""
    if not hasattr(dispatcher, "py_func"):  # with NUMBA_DISABLE_JIT the decorator gives the function back
        return _not_compiled
    dispatcher.compile = in_default_arithmetic(dispatcher.compile)
    for name in ("compile", "_compile_for_args"):  # from other jitted code, from Python
        setattr(dispatcher, name, without_interrupts(getattr(dispatcher, name)))
    if _folders()[0]:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher
