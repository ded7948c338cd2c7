"""The errors of this package; every message says what was expected, what came and what to do."""

from __future__ import annotations


class UnknownOperatorError(LookupError):
    """The table has no such operator."""


class UnknownOpsetError(LookupError):
    """The operator does not exist at that opset, or the installed onnx does not know the opset."""


class ModelError(ValueError):
    """Not an ONNX model, or not a valid one."""


class UnsupportedModelError(ModelError):
    """A valid model that asks for an operator nobody here can run."""


class NodeError(ModelError):
    """A node cannot work on what reached it: shapes or dtypes that do not fit."""


class FeedError(ValueError):
    """The arrays handed to a model are not what its inputs ask for."""


def raise_interrupt(error: BaseException) -> None:
    """
    Raise the KeyboardInterrupt that an error comes of, if it comes of one.

    An extension that Ctrl-C meets while it is imported raises ImportError, as one does that is not installed.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        cause = cause.__cause__ or cause.__context__


def one_line(error: BaseException) -> str:
    """Another library's message, fit to stand within one of ours."""
    return " ".join(str(error).split())
