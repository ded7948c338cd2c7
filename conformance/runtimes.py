"""
The runtimes that models are run in.

A runtime is any object with a ``name``, a ``version`` and ``run(model, feeds)``: serialized model and arrays
by input name in, the model's outputs in its order out. One that has ``load(model)`` as well, which returns a
function from feeds to outputs, is timed without what it does only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[Any]]
Run = Callable[[Feeds], Sequence[NDArray[Any]]]


class UnknownRuntimeError(ValueError):
    """There is no runtime of that name."""


class RuntimeNotInstalledError(ImportError):
    """The runtime is known, but its package is not installed."""


class ModelNotRunError(ValueError):
    """The runtime could not load the model, or failed on these inputs."""


@runtime_checkable
class Runtime(Protocol):
    """What `softops.conformance.validate` takes for a runtime."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...

    @property
    def version(self) -> str:
        """Its version, for reports."""
        ...

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run a serialized model on arrays by input name; its outputs in the model's order."""
        ...


class OnnxRuntime:
    """onnxruntime on the CPU, with its default graph optimizations."""

    name = "onnxruntime"

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            message = "expected onnxruntime to be installed (it is not); pip install onnxruntime"
            raise RuntimeNotInstalledError(message) from error
        self._onnxruntime = onnxruntime
        self.version = str(onnxruntime.__version__)

    def load(self, model: bytes) -> Run:
        """Make a session and return what runs it."""
        options = self._onnxruntime.SessionOptions()
        # What it cannot do, it also raises; the log would say it twice.
        options.log_severity_level = 4
        session = self._onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return partial(_run_session, session)

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run a serialized model."""
        return self.load(model)(feeds)


class SoftopsRuntime:
    """Our own backend."""

    name = "softops"

    def __init__(self) -> None:
        self.version = version("softops")

    def load(self, model: bytes) -> Run:
        """Prepare the model and return what runs it."""
        from softops.opset.backend import prepare

        prepared = prepare(model)
        return lambda feeds: list(prepared.run(dict(feeds)))

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run a serialized model."""
        return self.load(model)(feeds)


_RUNTIMES: dict[str, Callable[[], Runtime]] = {"onnxruntime": OnnxRuntime, "softops": SoftopsRuntime}


def runtimes() -> tuple[str, ...]:
    """Names of the runtimes that are known, installed or not."""
    return tuple(_RUNTIMES)


def get_runtime(runtime: str | Runtime) -> Runtime:
    """
    Return the runtime of that name; a runtime itself is returned as it is.

    Raises
    ------
    UnknownRuntimeError
        There is none of that name.
    RuntimeNotInstalledError
        Its package is not installed.
    TypeError
        ``runtime`` is neither a name nor a runtime.
    """
    if isinstance(runtime, str):
        if runtime not in _RUNTIMES:
            message = (
                f"expected a runtime among {', '.join(_RUNTIMES)} (got {runtime!r}); choose one of these"
            )
            raise UnknownRuntimeError(message)
        return _RUNTIMES[runtime]()
    if isinstance(runtime, type) or not isinstance(runtime, Runtime):
        message = (
            f"expected a runtime's name, or an object with name, version and run(model, feeds) "
            f"(got {runtime!r}); pass for instance 'onnxruntime'"
        )
        raise TypeError(message)
    return runtime


def load(runtime: Runtime, model: bytes) -> Run:
    """Return a function that runs ``model`` in ``runtime``; whatever it raises becomes ModelNotRunError."""
    loader = getattr(runtime, "load", None)
    with_model: Run = _named(runtime, lambda: loader(model)) if loader else partial(runtime.run, model)
    return lambda feeds: _named(runtime, lambda: list(with_model(feeds)))


def _named(runtime: Runtime, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"expected {runtime.name} to run the model (got {reason}); look at its operators and opset"
        raise ModelNotRunError(message) from error


def _run_session(session: Any, feeds: Feeds) -> Sequence[NDArray[Any]]:
    outputs: Sequence[NDArray[Any]] = session.run(None, dict(feeds))
    return outputs
