"""A model in a runtime: what is asked of it, what it raises and what it gives, all in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from softops.opset.graph.external import read_external_data
from softops.opset.graph.files import serialize

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError
from .protocol import Run, Runtime, name_of

LINE_MAX = 500
"""So many characters of the first line of what a runtime says stand in a message."""


def refusal(runtime: Runtime, op: str, domain: str, opset: int, dtype: str) -> str | None:
    """Return the reason why a runtime does not take an operator, or None; ModelNotRunError where it fails to say so."""
    supports = getattr(runtime, "supports", None)
    if supports is None:
        return None
    try:
        reason = supports(f"{domain}.{op}" if domain else op, opset, dtype)
    except NotImplementedError:  # it does not say; its run does
        return None
    except Exception as error:
        message = f"expected {name_of(runtime)} to say whether it supports {op} (got {_said(error)[0]})"
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
            loaded: Run = named(runtime, lambda: beside(model, folder))
            return lambda feeds: named(runtime, lambda: _arrays(loaded(feeds)))
        model = _whole(runtime, model, folder)
    loader = getattr(runtime, "load", None)
    with_model: Run = named(runtime, lambda: loader(model)) if loader else partial(runtime.run, model)
    return lambda feeds: named(runtime, lambda: _arrays(with_model(feeds)))


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


def model_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that have to be fed: those without a default in the model."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    defaults |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    return [value for value in model.graph.input if value.name not in defaults]


def in_memory(model: bytes, folder: Path) -> onnx.ModelProto:
    """Return a model with the tensors that lie in files of ``folder`` read into it."""
    proto = onnx.load_from_string(model)
    read_external_data(proto, folder)
    return proto


def named(runtime: Runtime, call: Callable[[], Any]) -> Any:
    """Call what a runtime is asked to do; whatever it raises becomes ModelNotRunError, or says that it is not taken."""
    try:
        return call()
    except (KeyboardInterrupt, GeneratorExit, RuntimeHungError, RuntimeUnusableError):
        raise
    # A runtime that wants to exit is not who runs us; a panic in Rust is a BaseException, too.
    except BaseException as error:
        begin = f"expected {name_of(runtime)} to run the model (got "
        if isinstance(error, ModelNotRunError) and str(error).startswith(
            begin
        ):  # as its process has told it already
            raise
        line, whole = _said(error)
        detail = (error.detail if isinstance(error, ModelNotRunError) else "") or whole
        kind = type(error) if isinstance(error, ModelNotRunError) else ModelNotRunError
        if isinstance(error, NotImplementedError):
            kind = ModelNotSupportedError
        message = f"{begin}{line}); look at its operators and opset"
        raise kind(message, detail) from error


def _said(error: BaseException) -> tuple[str, str]:
    """Return the first line of what an error says, and all of it where that is more."""
    whole = str(error).strip()
    line, _, rest = whole.partition("\n")
    line = " ".join(line.split())
    if not line or not isinstance(error, Exception):
        line = f"{type(error).__name__} {line}".strip()
    cut = line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]} \N{HORIZONTAL ELLIPSIS}"
    return cut, whole if rest or cut != line else ""
