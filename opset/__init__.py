"""What each operator of the softmax family means at every ONNX opset version."""

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
