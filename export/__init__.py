"""ONNX graphs that end in a softmax."""

from .append import append_head
from .decompose import decompose
from .files import save_model, write_atomic
from .fuse import fuse
from .heads import classifier_head
from .sigmoid_heads import binary_head, multilabel_head
from .strip import replace_activation, strip_head

__all__ = [
    "append_head",
    "binary_head",
    "classifier_head",
    "decompose",
    "fuse",
    "multilabel_head",
    "replace_activation",
    "save_model",
    "strip_head",
    "write_atomic",
]
