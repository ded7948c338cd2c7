"""ONNX graphs that end in a softmax."""

from .attention import attention
from .files import save_model, write_atomic
from .heads import classifier_head
from .options import Options
from .outputs import HeadOptions
from .sigmoid_heads import binary_head, multilabel_head
from .sklearn_models import from_sklearn
from .torch_models import from_torch

__all__ = [
    "HeadOptions",
    "Options",
    "attention",
    "binary_head",
    "classifier_head",
    "from_sklearn",
    "from_torch",
    "multilabel_head",
    "save_model",
    "write_atomic",
]
