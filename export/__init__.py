"""ONNX graphs that end in a softmax."""

from .append import append_head
from .attention import attention
from .decompose import decompose
from .files import save_model, write_atomic
from .fuse import fuse
from .heads import classifier_head
from .options import Options
from .outputs import HeadOptions
from .sigmoid_heads import binary_head, multilabel_head
from .sklearn_models import from_sklearn
from .strip import replace_activation, strip_head
from .torch_models import from_torch

__all__ = [
    "HeadOptions",
    "Options",
    "append_head",
    "attention",
    "binary_head",
    "classifier_head",
    "decompose",
    "from_sklearn",
    "from_torch",
    "fuse",
    "multilabel_head",
    "replace_activation",
    "save_model",
    "strip_head",
    "write_atomic",
]
