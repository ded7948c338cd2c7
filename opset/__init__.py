"""What each operator of the softmax family means at every ONNX opset version."""

from .errors import (
    FeedError,
    ModelError,
    NodeError,
    UnknownOperatorError,
    UnknownOpsetError,
    UnsupportedModelError,
)
from .model import ModelSource, load_model
from .operators import Operator, operator, operators

__all__ = [
    "FeedError",
    "ModelError",
    "ModelSource",
    "NodeError",
    "Operator",
    "UnknownOperatorError",
    "UnknownOpsetError",
    "UnsupportedModelError",
    "load_model",
    "operator",
    "operators",
]
