"""The errors of this package, and how a name that is not known is refused."""

from __future__ import annotations

from collections.abc import Iterable


class UnknownRuntimeError(ValueError):
    """There is no runtime of that name."""


class RuntimeNotInstalledError(ImportError):
    """The runtime is known, but its package is not installed."""


class ModelNotRunError(ValueError):
    """
    The runtime could not load the model, or failed on these inputs.

    ``detail`` is all that the runtime said, of which the message has the first line; empty where that is all.
    """

    def __init__(self, message: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ModelNotSupportedError(ModelNotRunError):
    """The runtime says that it does not take the model: raised by `load` or `run` of a runtime."""


class RuntimeHungError(ModelNotRunError):
    """The runtime did not answer within its time limit."""


class RuntimeUnusableError(ModelNotRunError):
    """The runtime can run nothing at all: its program cannot be started, or every model fails alike."""


class ClusterError(OSError):
    """A cluster of Dask cannot be reached, has no workers that fit, or has lost them."""


def check_choice(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse a name that is none of those that are known, by a ValueError."""
    if given not in known:
        message = f"expected {what} among {', '.join(known)} (got {given!r}); choose one of these"
        raise ValueError(message)
