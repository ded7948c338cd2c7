"""An ONNX backend: runs any model, planned once.

The softmax family runs by our kernels, the operators around it by NumPy, what is left by onnx's reference
implementations. The interface is that of `onnx.backend.base`, as a class and as functions of this module::

    from softops.opset.backend import prepare
    probabilities, = prepare("model.onnx").run({"x": x})
"""

from .interface import (
    SoftopsBackend,
    is_compatible,
    prepare,
    run_model,
    run_node,
    supports_device,
)
from .prepared import SoftopsBackendRep

__all__ = [
    "SoftopsBackend",
    "SoftopsBackendRep",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]
