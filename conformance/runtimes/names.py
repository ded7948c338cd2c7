"""
The runtimes by name: ``name`` or ``name:options``.

Ours are those of `SHIPPED`, each a module of this package with a function ``from_options``. A package of anyone's adds
a runtime by an entry point in the group ``softops.runtimes``: a function of the options, a string that is empty where
none are given.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from ..errors import RuntimeNotInstalledError, UnknownRuntimeError
from .protocol import Runtime, name_of

GROUP = "softops.runtimes"
"""The entry-point group."""

SHIPPED = {
    "onnxruntime": "runtimes.onnxruntime",
    "softops": "runtimes.softops",
    "onnx.reference": "runtimes.reference",
    "openvino": "runtimes.openvino",
    "torch": "runtimes.torch",
    "tract": "adapters.tract",
    "tinygrad": "adapters.tinygrad",
    "tvm": "adapters.tvm",
    "iree": "adapters.iree",
    "mnn": "adapters.mnn",
    "ncnn": "adapters.ncnn",
    "jax": "adapters.jax",
    "backend": "runtimes.backend",
    "cmd": "elsewhere.command",
    "saved": "elsewhere.saved",
}
"""The runtimes that come with softops, in the order in which they are listed, and the modules that make them."""


def runtimes() -> tuple[str, ...]:
    """Names of the runtimes that are known, installed or not."""
    return tuple(_entries())


def get_runtime(runtime: str | Runtime) -> Runtime:
    """
    Return the runtime of that name; a runtime itself is returned as it is.

    Raises
    ------
    UnknownRuntimeError
        There is none of that name.
    RuntimeNotInstalledError
        Its package is not installed.
    ValueError
        The options behind the name are none that it takes.
    TypeError
        ``runtime`` is neither a name nor a runtime.
    """
    if isinstance(runtime, str):
        name, _, options = runtime.partition(":")
        entries = _entries()
        if name not in entries:
            raise UnknownRuntimeError(_unknown(name, list(entries)))
        factory: Callable[[str], Runtime] = entries[name].load()
        return factory(options.strip())
    # Whoever has no `supports` takes everything.
    if isinstance(runtime, type) or not callable(getattr(runtime, "run", None)):
        message = (
            "expected a runtime's name, or an object with supports(op, opset, dtype) and run(model, feeds) "
            f"(got {runtime!r}); pass for instance 'onnxruntime'"
        )
        raise TypeError(message)
    return runtime


def chosen_runtimes(runtimes: Sequence[str | Runtime]) -> tuple[dict[str, Runtime], dict[str, str]]:
    """
    Return the runtimes that are installed by what they are called, and of the others why they cannot be run.

    A runtime is called as it was named, options and all: of two that differ in these alone the runtime's own name
    would not tell which is which. Raises as `get_runtime`; ValueError where there is none, or one twice.
    """
    named = {runtime if isinstance(runtime, str) else name_of(runtime): runtime for runtime in runtimes}
    if not named or len(named) != len(runtimes):
        given = ", ".join(runtime if isinstance(runtime, str) else name_of(runtime) for runtime in runtimes)
        message = f"expected runtimes, each once (got {given or 'none'}); name each once"
        raise ValueError(message)
    chosen, missing = {}, {}
    for name, runtime in named.items():
        try:
            chosen[name] = get_runtime(runtime)
        except RuntimeNotInstalledError as error:
            missing[name] = str(error)
    return chosen, missing


def _entries() -> dict[str, EntryPoint]:
    # Not by entry points of our own: these are there only as of the installation.
    found = {
        name: EntryPoint(name, f"softops.conformance.{module}:from_options", GROUP)
        for name, module in SHIPPED.items()
    }
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


def entry_of_name(name: str) -> str:
    """Return what makes the runtime of a name that is known, as ``module:function``."""
    return _entries()[name].value


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "choose one of these"
    return f"expected a runtime among {', '.join(known)} (got {name!r}); {hint}"
