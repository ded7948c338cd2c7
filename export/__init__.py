"""ONNX graphs that end in a softmax."""

from .files import save_model, write_atomic
from .heads import classifier_head
from .sigmoid_heads import binary_head, multilabel_head
from .sklearn_models import from_sklearn

__all__ = ["binary_head", "classifier_head", "from_sklearn", "multilabel_head", "save_model", "write_atomic"]
