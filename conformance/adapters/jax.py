"""JAX's own functions, called as a single node says, as torch's are in `softops.conformance.runtimes.torch`."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx

from ..errors import ModelNotSupportedError
from .adapter import Adapter, Arrays, Prepared, made_by

_ALONG, _EACH = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}, ("Sigmoid", "Softplus")


class Jax(Adapter):
    """``jax.nn.softmax`` and its relatives, each dtype computed in itself."""

    name = package = "jax"
    modules = ("jax",)

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Read the node; before opset 13 the axes from one on are a single one."""
        import jax

        def run(arrays: Arrays) -> Arrays:
            with jax.enable_x64(True):
                return [np.asarray(_called(jax.nn, proto, *arrays))]

        return run


def _called(nn: Any, proto: onnx.ModelProto, x: Any, *others: Any) -> Any:
    (node, *more), opset = proto.graph.node, proto.opset_import[0].version
    given = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    if node.op_type in _ALONG and not more:
        axis, function = given.get("axis", 1 if opset < 13 else -1), getattr(nn, _ALONG[node.op_type])
        if opset >= 13:
            return function(x, axis)
        return function(x.reshape(*x.shape[:axis], prod(x.shape[axis:])), -1).reshape(x.shape)
    if node.op_type in _EACH and not more:
        return getattr(nn, node.op_type.lower())(x)
    if node.op_type == "ReduceLogSumExp" and not more:
        axes = others[0].tolist() if others else given.get("axes")
        if not axes and given.get("noop_with_empty_axes"):
            return x
        return nn.logsumexp(x, tuple(axes) if axes else None, keepdims=bool(given.get("keepdims", 1)))
    message = f"JAX's functions run single nodes alone, and none of them is {node.op_type}"
    raise ModelNotSupportedError(message)


from_options = made_by(Jax)
