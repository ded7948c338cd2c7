"""ONNX graphs that end in a softmax."""

from typing import TYPE_CHECKING

from softops.opset.graph.files import save_model, write_atomic

from .builder.choice import HeadOptions
from .builder.options import Options
from .heads.attention import attention
from .heads.gradients import gradient
from .heads.language_model import lm_head
from .heads.losses import loss
from .heads.policy import policy_head
from .heads.sampler import Sampling
from .heads.sigmoid import binary_head, multilabel_head
from .heads.softmax import classifier_head
from .heads.sparse import entmax15_head, sparsemax_head
from .heads.training import linear_loss
from .sources.sklearn import from_sklearn
from .sources.torch import from_torch
from .surgery.append import append_head
from .surgery.decompose import decompose
from .surgery.fuse import fuse
from .surgery.strip import replace_activation, strip_head

__version__: str

__all__ = [
    "HeadOptions",
    "Options",
    "Sampling",
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
    "linear_loss",
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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """Give the version of softops, looked up when it is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            return version("softops")
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
