"""ONNX graphs that end in a softmax."""

from .attention import attention
from .files import save_model, write_atomic
from .heads import classifier_head
from .sigmoid_heads import binary_head, multilabel_head

__all__ = ["attention", "binary_head", "classifier_head", "multilabel_head", "save_model", "write_atomic"]
