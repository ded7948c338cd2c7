"""What the adapters share: a package that is imported when it is asked for, arrays in C order, errors in one line."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.errors import raise_interrupt

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeNotInstalledError
from ..runtimes.loading import model_inputs
from ..runtimes.options import options_of
from ..runtimes.protocol import LoadingRuntime, Run

T = TypeVar("T")

_LONG = 300
"""What is longer is cut: some give all that they know in one line."""

Arrays = list[NDArray[Any]]
Prepared = Callable[[Arrays], Sequence[Any]]
"""From inputs in the model's order to its outputs."""


class Adapter(LoadingRuntime):
    """
    A runtime of another package.

    A subclass has `prepare` and names:

    - ``name``, which is that of its extra too, and ``package``, the distribution that its version is asked of;
    - ``modules``, what has to be there: each is imported when the runtime is made;
    - ``dtypes``, those that its tensors have; empty where any goes;
    - ``not_supported``, words in its errors that say that it does not take a model.
    """

    package = ""
    modules: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    not_supported: tuple[str, ...] = ()

    def __init__(self) -> None:
        try:
            with quiet():
                for module in self.modules:
                    import_module(module)
        except ImportError as error:
            raise_interrupt(error)
            message = (
                f"expected {self.name} to be installed (it is not: {error}); "
                f'pip install "softops[{self.name}]"'
            )
            raise RuntimeNotInstalledError(message) from error
        self.version = version(self.package)

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """Say which dtypes its tensors do not have; the rest is told when a model is loaded or run."""
        if self.dtypes and dtype not in self.dtypes:
            return f"{self.name} is given no tensors of {dtype} here"
        return None

    @abstractmethod
    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Load a model, given in both forms, and return what runs it."""

    def load(self, model: bytes) -> Run:
        """Load a model and return what runs it; whatever is raised is told by one line of it."""
        proto = onnx.load_from_string(model)
        names = [value.name for value in model_inputs(proto)]
        run = self._told(lambda: self.prepare(model, proto))
        # Copies, which a runtime may keep or write to, in the only order that most of them know.
        return lambda feeds: self._told(lambda: run([np.array(feeds[name], order="C") for name in names]))

    def line(self, error: BaseException) -> str:
        """Return the line of an error that says what is wrong: the first that is not empty."""
        if (
            isinstance(error, SystemError) and error.__cause__ is not None
        ):  # compiled code that left one behind
            return self.line(error.__cause__)
        line = next(filter(None, map(str.strip, str(error).splitlines())), "")
        return line[:_LONG] if " " in line else f"{type(error).__name__} {line}".strip()

    def _told(self, call: Callable[[], T]) -> T:
        try:
            with quiet():
                return call()
        except ModelNotRunError:
            raise
        except Exception as error:
            said = self.line(error)
            refused = isinstance(error, NotImplementedError) or any(
                part in said for part in self.not_supported
            )
            raise (ModelNotSupportedError if refused else ModelNotRunError)(said, str(error)) from error


def made_by(kind: type[Adapter]) -> Callable[[str], Adapter]:
    """Return the function that makes an adapter's runtime from what stands behind its name: nothing."""

    def from_options(options: str) -> Adapter:
        options_of(kind.name, options, {})
        return kind()

    return from_options


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what compiled code prints on its progress away from the output of this process."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
