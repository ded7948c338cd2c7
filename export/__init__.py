"""ONNX graphs that end in a softmax."""

from softops.opset.files import save_model, write_atomic

from .append import append_head
from .attention import attention
from .choice import HeadOptions
from .decompose import decompose
from .fuse import fuse
from .gradients import gradient
from .heads import classifier_head
from .language_model import lm_head
from .losses import loss
from .options import Options
from .policy import policy_head
from .sigmoid_heads import binary_head, multilabel_head
from .sklearn_models import from_sklearn
from .sparse_heads import entmax15_head, sparsemax_head
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
    "entmax15_head",
    "from_sklearn",
    "from_torch",
    "fuse",
    "gradient",
    "lm_head",
    "loss",
    "multilabel_head",
    "policy_head",
    "replace_activation",
    "save_model",
    "sparsemax_head",
    "strip_head",
    "write_atomic",
]
