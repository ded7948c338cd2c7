"""What each operator of the softmax family means at every ONNX opset version."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

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

__version__: str

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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType | str:
        """Give the two modules that are used by their own name, and the version, when they are asked for."""
        if name in ("backend", "reference"):
            return import_module(f"{__name__}.{name}")
        if name == "__version__":
            from importlib.metadata import version

            return version("softops")
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return [*__all__, "__version__", "backend", "reference"]
