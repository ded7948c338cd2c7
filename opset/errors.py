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


def one_line(error: BaseException) -> str:
    """Another library's message, fit to stand within one of ours."""
    return " ".join(str(error).split())
