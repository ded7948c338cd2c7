"""What each operator of the softmax family means at every ONNX opset version."""

from .convert import convert_version
from .convert_files import ConversionReport, convert_file
from .errors import FeedError, ModelError, UnknownOperatorError, UnknownOpsetError, UnsupportedModelError
from .model import ModelSource, load_model
from .operators import Operator, operator, operators

__all__ = [
    "ConversionReport",
    "FeedError",
    "ModelError",
    "ModelSource",
    "Operator",
    "UnknownOperatorError",
    "UnknownOpsetError",
    "UnsupportedModelError",
    "convert_file",
    "convert_version",
    "load_model",
    "operator",
    "operators",
]
