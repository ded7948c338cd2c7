"""ONNX graphs that end in a softmax."""

from .files import save_model, write_atomic
from .heads import classifier_head

__all__ = ["classifier_head", "save_model", "write_atomic"]
