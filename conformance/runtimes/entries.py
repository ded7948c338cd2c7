"""Where a runtime of one's own comes from: what a script imports to have it again."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .names import SHIPPED, entry_of_name
from .protocol import Runtime


class Entry(NamedTuple):
    """
    A module, what of it is the runtime as an expression (empty for the module itself), and where it is found.

    ``folder`` is what has to be on the path for the import; empty where the module is installed.
    """

    module: str
    expression: str = ""
    folder: str = ""


def entry_of(runtime: str | Runtime) -> Entry | None:
    """Return where a runtime comes from; None for those that come with softops, and where it cannot be told."""
    if isinstance(runtime, str):
        name, _, options = runtime.partition(":")
        options = options.strip()
        if name == "backend":
            module, _, attribute = options.partition(":")
            return Entry(module, attribute, _folder_of(module))
        if name in SHIPPED:
            return None
        module, _, attribute = entry_of_name(name).partition(":")
        return Entry(module, f"{attribute}({options!r})", _folder_of(module))
    if isinstance(runtime, ModuleType):
        return Entry(runtime.__name__, "", _folder_of(runtime.__name__))
    return _of_object(runtime)


def _of_object(runtime: Any) -> Entry | None:
    """Return a name of the module of its class that it has, or else its class, made without arguments."""
    kind = type(runtime)
    if kind.__module__.startswith("softops."):
        return None
    module = sys.modules.get(kind.__module__)
    names = [name for name, value in vars(module).items() if value is runtime] if module else []
    expression = names[0] if names else f"{kind.__qualname__}()"
    if "<locals>" in expression:
        return None
    if kind.__module__ != "__main__":
        return Entry(kind.__module__, expression, _folder_of(kind.__module__))
    # The script that was run is a module to others.
    file = Path(getattr(module, "__file__", None) or "")
    return Entry(file.stem, expression, str(file.resolve().parent)) if file.stem.isidentifier() else None


def _folder_of(module: str) -> str:
    """Return the folder that a module is imported from, unless that is Python's own or one of what is installed."""
    try:
        top = importlib.import_module(module.partition(".")[0])
    except ImportError:
        return ""
    file = getattr(top, "__file__", None)
    if file is None:
        return ""
    place = Path(file).resolve().parent
    place = place.parent if hasattr(top, "__path__") else place
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
    return "" if place in installed else str(place)
