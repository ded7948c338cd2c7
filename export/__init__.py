"""ONNX graphs that end in a softmax."""

from .files import save_model, write_atomic
from .gradients import gradient
from .heads import classifier_head
from .language_model import lm_head
from .losses import loss
from .policy import policy_head
from .sigmoid_heads import binary_head, multilabel_head
from .sklearn_models import from_sklearn
from .sparse_heads import entmax15_head, sparsemax_head
from .torch_models import from_torch

__all__ = [
    "binary_head",
    "classifier_head",
    "entmax15_head",
    "from_sklearn",
    "from_torch",
    "gradient",
    "lm_head",
    "loss",
    "multilabel_head",
    "policy_head",
    "save_model",
    "sparsemax_head",
    "write_atomic",
]
