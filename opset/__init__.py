"""What each operator of the softmax family means at every ONNX opset version."""

from importlib import import_module
from types import ModuleType

from .convert.files import ConversionReport, convert_file
from .convert.version import convert_version
from .errors import (
    FeedError,
    ModelError,
    NodeError,
    UnknownOperatorError,
    UnknownOpsetError,
    UnsupportedModelError,
)
from .graph.model import ModelSource, load_model
from .lint.family import NodeRecord
from .lint.report import LintReport, lint
from .lint.warning import LintWarning
from .operators.row import Operator
from .operators.table import operator, operators

__all__ = [
    "ConversionReport",
    "FeedError",
    "LintReport",
    "LintWarning",
    "ModelError",
    "ModelSource",
    "NodeError",
    "NodeRecord",
    "Operator",
    "UnknownOperatorError",
    "UnknownOpsetError",
    "UnsupportedModelError",
    "convert_file",
    "convert_version",
    "lint",
    "load_model",
    "operator",
    "operators",
]


def __getattr__(name: str) -> ModuleType:
    """Give the two modules that are used by their own name, imported when they are asked for."""
    if name in ("backend", "reference"):
        return import_module(f"{__name__}.{name}")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
