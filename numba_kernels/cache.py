"""The disk cache of compiled kernels, safe against stale code.

Numba keys a cached function by its own bytecode and the content of its own source file. A kernel here is compiled
together with helpers from other modules, whose change Numba would not see (numba#1833). So the whole package is the
key: every module's bytes, the versions of softops, Numba, llvmlite and NumPy name the folder that the compiled code
lies in, and a changed package starts in a new one.

The folder is the first that can be written of: ``$NUMBA_CACHE_DIR``, ``__pycache__`` beside the modules, the user's
cache folder. Where none is, kernels are compiled anew in every process, without an error. Like every Numba cache it
holds pickled code objects and must not be writable by people one does not trust.
"""

import functools
import hashlib
import os
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

_PACKAGE = Path(__file__).resolve().parent


@functools.cache
def package_key() -> str:
    """A name for this very code: a hash of all modules of the package and of the versions that compile it."""
    digest = hashlib.sha256()
    for module in sorted(_PACKAGE.glob("*.py")):
        digest.update(module.name.encode())
        digest.update(module.read_bytes())
    for version in (numba.__version__, llvmlite.__version__, np.__version__, sys.version):
        digest.update(version.encode())
    return digest.hexdigest()[:16]


def _candidates() -> list[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return [Path(named)]
    if os.name == "nt":
        user = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return [_PACKAGE / "__pycache__", user / "softops"]


@functools.cache
def cache_directory() -> Path | None:
    """The folder for compiled kernels, made if need be; None where nothing can be written."""
    for base in _candidates():
        folder = base / f"kernels-{package_key()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _closure_names(function: Any) -> list[str]:
    """The jitted functions that a function closes over, and those that they close over."""
    names = []
    for cell in function.__closure__ or ():
        inner = getattr(cell.cell_contents, "py_func", None)
        if inner is not None:
            names += [inner.__qualname__.replace("<locals>.", ""), *_closure_names(inner)]
    return names


class KernelCache(_Cache):
    """One file per compiled signature, named by what it was compiled from and for; no index.

    Numba's own cache keeps an index per function that two processes starting at once overwrite for each other
    (numba#4807), so that a name can come to stand for another signature's code. Here a file's name is the hash of
    everything that decides its content, and it appears complete or not at all.
    """

    def __init__(self, function: Any, folder: Path) -> None:
        self._function = function
        self._folder = folder

    @property
    def cache_path(self) -> str:
        return str(self._folder)

    def enable(self) -> None:
        """Nothing to do: the cache is on from the start."""

    def disable(self) -> None:
        """Nothing to do: NUMBA_CACHE_DIR says where it lies, an unwritable place turns it off."""

    def flush(self) -> None:
        """Nothing to do: a changed package has another folder."""

    def _path(self, signature: Any, codegen: Any) -> Path:
        names = [self._function.__name__, *_closure_names(self._function)]
        key = repr((names, self._function.__code__.co_firstlineno, signature, codegen.magic_tuple()))
        name = "-".join((names[-1], names[0])).replace(".", "-").strip("_")
        return self._folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        try:
            payload = self._path(sig, target_context.codegen()).read_bytes()
        except OSError:
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(payload))

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
            return
        path = self._path(sig, data.codegen)
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=path.stem)
            with os.fdopen(handle, "wb") as file:
                file.write(dumps(data._reduce()))
            os.replace(name, path)
        except OSError:  # a full disk costs the cache, not the call
            return


def enable_cache(dispatcher: Any) -> Any:
    """Give a dispatcher the package's disk cache; without a folder to write in, leave it uncached."""
    folder = cache_directory()
    if folder is not None:
        dispatcher._cache = KernelCache(dispatcher.py_func, folder)
    return dispatcher
