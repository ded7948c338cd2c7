"""
The runtimes that models are run in.

A runtime is any object with two methods: ``supports(op, opset, dtype)`` gives the reason why it does not take
an operator, or None if it does, and ``run(model, feeds)`` takes a serialized model and arrays by input name and
gives the model's outputs in its order. It may have more, and everything does without:

- ``name`` and ``version``, for reports;
- ``load(model)``, which returns a function from feeds to outputs: a model is then loaded once for many inputs;
- ``load_beside(model, folder)``, the same for a model whose tensors lie in files of a folder: one of more than 2 GiB;
- ``settings`` and ``configured(setting)``: names such as ``level=basic`` or ``threads=2``, and the same runtime
  set so. The suite tries each setting, and compares those of ``threads=`` with one another.

Runtimes are named ``name`` or ``name:options``, and found through the entry-point group ``softops.runtimes``:
each entry is a function of the options, a string that is empty where none are given. A package of anyone's
that declares such an entry adds a runtime.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from softops.opset.graph.files import serialize

Feeds = Mapping[str, NDArray[Any]]
Run = Callable[[Feeds], Sequence[NDArray[Any]]]

GROUP = "softops.runtimes"
"""The entry-point group."""


class UnknownRuntimeError(ValueError):
    """There is no runtime of that name."""


class RuntimeNotInstalledError(ImportError):
    """The runtime is known, but its package is not installed."""


class ModelNotRunError(ValueError):
    """The runtime could not load the model, or failed on these inputs."""


class ModelNotSupportedError(ModelNotRunError):
    """The runtime says that it does not take the model: raised by `load` or `run` of a runtime."""


class RuntimeHungError(ModelNotRunError):
    """The runtime did not answer within its time limit."""


@runtime_checkable
class Runtime(Protocol):
    """What `softops.conformance.run` and `softops.conformance.validate` take for a runtime."""

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """
        Say why an operator is not taken at that opset of its domain, in that dtype; None if it is.

        ``op`` is its name in a node, behind the domain unless that is ai.onnx: ``Softmax``,
        ``ai.onnx.ml.LinearClassifier``.
        """
        ...

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run a serialized model on arrays by input name; its outputs in the model's order."""
        ...


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
    would not tell which is which.

    Raises
    ------
    UnknownRuntimeError, TypeError
        As for `get_runtime`.
    ValueError
        There is none, or one twice; the options of one are none that it takes.
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


def name_of(runtime: Runtime) -> str:
    """Return what a runtime is called in reports."""
    return str(getattr(runtime, "name", type(runtime).__name__))


def version_of(runtime: Runtime) -> str:
    """Return its version; empty if it names none."""
    return str(getattr(runtime, "version", ""))


def settings_of(runtime: Runtime) -> tuple[str, ...]:
    """Return the settings that a runtime can be tried in."""
    return tuple(getattr(runtime, "settings", ()))


def refusal(runtime: Runtime, op: str, domain: str, opset: int, dtype: str) -> str | None:
    """
    Return the reason why a runtime does not take an operator, or None.

    Raises
    ------
    ModelNotRunError
        It fails to say so.
    """
    supports = getattr(runtime, "supports", None)
    if supports is None:
        return None
    try:
        reason = supports(f"{domain}.{op}" if domain else op, opset, dtype)
    except Exception as error:
        message = f"expected {name_of(runtime)} to say whether it supports {op} (got {_said(error)})"
        raise ModelNotRunError(message) from error
    if reason is not None and not isinstance(reason, str):
        message = (
            f"expected supports of {name_of(runtime)} to give a reason, or None where it takes {op} "
            f"(got {reason!r}); give None for supported"
        )
        raise ModelNotRunError(message)
    return None if reason is None else (reason or "not supported")


def load(runtime: Runtime, model: bytes, folder: Path | None = None) -> Run:
    """
    Return a function that runs ``model`` in ``runtime``; whatever it raises becomes ModelNotRunError.

    ``folder`` is where the files of its tensors lie; None for a model that is whole. A runtime that takes whole
    models only is given one, as long as it is under 2 GiB.
    """
    if folder is not None:
        beside = getattr(runtime, "load_beside", None)
        if beside is not None:
            loaded: Run = _named(runtime, lambda: beside(model, folder))
            return lambda feeds: _named(runtime, lambda: _arrays(loaded(feeds)))
        model = _whole(runtime, model, folder)
    loader = getattr(runtime, "load", None)
    with_model: Run = _named(runtime, lambda: loader(model)) if loader else partial(runtime.run, model)
    return lambda feeds: _named(runtime, lambda: _arrays(with_model(feeds)))


def _arrays(outputs: Any) -> list[NDArray[Any]]:
    """Return what a runtime gave as arrays, in the byte order of this machine."""
    if isinstance(outputs, str | bytes | Mapping | np.ndarray) or not isinstance(outputs, Iterable):
        message = (
            f"outputs of type {type(outputs).__name__}, where a list of arrays in the model's order belongs"
        )
        raise TypeError(message)
    found = []
    for place, output in enumerate(outputs):
        try:
            array = np.asarray(output)
        except (TypeError, ValueError) as error:
            message = f"an output {place} that is no array: {error}"
            raise TypeError(message) from error
        found.append(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))
    return found


def _whole(runtime: Runtime, model: bytes, folder: Path) -> bytes:
    try:
        return serialize(in_memory(model, folder))
    except (EncodeError, ValueError) as error:
        message = (
            f"expected a model under 2 GiB for {name_of(runtime)}, which takes bytes alone (got a larger one); "
            "give it a method load_beside(model, folder)"
        )
        raise ModelNotSupportedError(message) from error


def in_memory(model: bytes, folder: Path) -> onnx.ModelProto:
    """Return a model with the tensors that lie in files of ``folder`` read into it."""
    proto = onnx.load_from_string(model)
    onnx.external_data_helper.load_external_data_for_model(proto, str(folder))
    return proto


def _named(runtime: Runtime, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RuntimeHungError:
        raise
    except (Exception, SystemExit) as error:  # it is the runtime that wants to exit, not who runs us
        message = f"expected {name_of(runtime)} to run the model (got {_said(error)}); look at its operators and opset"
        kind = type(error) if isinstance(error, ModelNotRunError) else ModelNotRunError
        raise kind(message) from error


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if text and not isinstance(error, SystemExit) else f"{type(error).__name__} {text}".strip()


def options_of(name: str, text: str, known: Mapping[str, str]) -> dict[str, str]:
    """
    Read the options of a runtime, ``key=value`` with commas between; those left out have their default.

    Raises
    ------
    ValueError
        An option is not known.
    """
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            usage = ",".join(f"{key}={value or '...'}" for key, value in known.items()) or "none"
            message = f"expected options of {name} among {usage} (got {part!r}); write {name}:key=value"
            raise ValueError(message)
        given[key] = value
    return {**known, **given}


def _entries() -> dict[str, EntryPoint]:
    # Our own stand first, and are there in a checkout that is not installed too.
    found = {entry.name: entry for entry in _SHIPPED}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "choose one of these"
    return f"expected a runtime among {', '.join(known)} (got {name!r}); {hint}"


_SHIPPED = tuple(
    EntryPoint(name, f"softops.conformance.{place}", GROUP)
    for name, place in {
        "onnxruntime": "runtime_onnxruntime:from_options",
        "softops": "runtime_softops:from_options",
        "onnx.reference": "runtime_reference:from_options",
        "openvino": "runtime_openvino:from_options",
        "torch": "runtime_torch:from_options",
        "backend": "runtime_backend:from_options",
        "cmd": "runtime_command:from_options",
        "saved": "runtime_saved:from_options",
    }.items()
)
