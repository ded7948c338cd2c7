"""
The runtimes that models are run in.

A runtime is any object with two methods: ``supports(op, opset, dtype)`` gives the reason why it does not take
an operator, or None if it does, and ``run(model, feeds)`` takes a serialized model and arrays by input name and
gives the model's outputs in its order; of what it does not take it may raise NotImplementedError, too. It may have
more, and everything does without:

- ``name`` and ``version``, for reports;
- ``load(model)``, which returns a function from feeds to outputs: a model is then loaded once for many inputs;
- ``load_beside(model, folder)``, the same for a model whose tensors lie in files of a folder: one of more than 2 GiB;
- ``computes_in``, what floats are computed in by the model that was loaded last: ``f32``, ``bf16``, ``f16``, ``tf32``,
  ``own`` for each in its own type, or empty where it is not told; every report has it on its first line, and the
  lists of known deviations go by it;
- ``runs_on``, the devices or providers that this model was given to, such as ``CPU``;
- ``full_precision``, the setting of ``configured`` that asks for float32, such as ``precision=f32``, where the
  runtime may choose less by itself; empty where the user has chosen. A report names it as the cure, and tries it;
- ``limited(seconds)``, the same runtime with that time limit for each load and each run, and ``close()``: of one that
  has processes of its own; any other is put into one where a time limit is asked for;
- ``settings`` and ``configured(setting)``: names such as ``level=basic`` or ``threads=2``, and the same runtime
  set so. The suite tries each setting, and compares those of ``threads=`` with one another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from ..measure.precision import Precision, short_name

Feeds = Mapping[str, NDArray[Any]]
Run = Callable[[Feeds], Sequence[NDArray[Any]]]


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


class LoadingRuntime(ABC):
    """A runtime that loads a model once for many inputs, and refuses then what it does not take."""

    name = ""
    version = ""
    settings: tuple[str, ...] = ()
    computes_in = ""
    runs_on = ""
    full_precision = ""

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """What is not taken is told when a model is loaded or run."""
        return None

    @abstractmethod
    def load(self, model: bytes) -> Run:
        """Load a serialized model and return what runs it."""

    def run(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        """Run a serialized model."""
        return self.load(model)(feeds)


def name_of(runtime: Runtime) -> str:
    """Return what a runtime is called in reports."""
    return str(getattr(runtime, "name", type(runtime).__name__))


def version_of(runtime: Runtime) -> str:
    """Return its version; empty if it names none."""
    return str(getattr(runtime, "version", ""))


def settings_of(runtime: Runtime) -> tuple[str, ...]:
    """Return the settings that a runtime can be tried in."""
    return tuple(getattr(runtime, "settings", ()))


def precision_of(runtime: Runtime) -> Precision:
    """Return what a runtime tells of the precision of the model that it loaded last."""
    given = (str(getattr(runtime, name, "")) for name in ("computes_in", "runs_on", "full_precision"))
    computes_in, runs_on, full = given
    return Precision(short_name(computes_in), runs_on, full)
