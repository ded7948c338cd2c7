"""What each operator of the softmax family means at every ONNX opset version."""

from .convert import convert_version
from .errors import FeedError, ModelError, UnknownOperatorError, UnknownOpsetError, UnsupportedModelError
from .model import ModelSource, load_model
from .operators import Operator, operator, operators

__all__ = [
    "FeedError",
    "ModelError",
    "ModelSource",
    "Operator",
    "UnknownOperatorError",
    "UnknownOpsetError",
    "UnsupportedModelError",
    "convert_version",
    "load_model",
    "operator",
    "operators",
]
