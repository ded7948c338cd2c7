"""What each operator of the softmax family means at every ONNX opset version."""

from importlib import import_module
from types import ModuleType

from .convert import convert_version
from .convert_files import ConversionReport, convert_file
from .errors import (
    FeedError,
    ModelError,
    NodeError,
    UnknownOperatorError,
    UnknownOpsetError,
    UnsupportedModelError,
)
from .lint_family import NodeRecord
from .lint_model import LintReport, lint
from .lint_rules import LintWarning
from .model import ModelSource, load_model
from .operators import Operator, operator, operators

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
