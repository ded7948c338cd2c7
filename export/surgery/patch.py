"""Nodes to put into an existing graph, built like those of a new one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from softops.opset import UnsupportedModelError
from softops.opset.graph.scopes import Scope

from ..builder.graph import Graph
from ..builder.options import Settings

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


class Patch(Graph):
    """
    Nodes for a place in an existing model.

    Their names are free in the model. Constants are ``Constant`` nodes: these can stand in a subgraph and in
    a function, too.

    Parameters
    ----------
    scope
        Where the nodes shall stand.
    name
        What their names begin with; may be empty.
    element
        Element type of the floats; where it is not known, None, nothing can be built that needs a constant.
    """

    def __init__(self, scope: Scope, name: str, element: int | None) -> None:
        known = element if element in FLOATS else None
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(known or TensorProto.FLOAT))
        super().__init__(name, Settings(opset=scope.opset, ir_version=0), dtype)
        self._scope, self._names = scope, scope.names
        self._known = known is not None

    def constant(self, name: str, value: NDArray[Any] | TensorProto) -> str:
        """Add a ``Constant`` node."""
        tensor = self._fresh(name)
        if isinstance(value, np.ndarray):
            value = numpy_helper.from_array(value, tensor)
        self._nodes.append(helper.make_node("Constant", [], [tensor], value=value))
        return tensor

    def number(self, name: str, value: Any) -> str:
        """Add a constant of the floats' type."""
        self.need_type()
        return super().number(name, value)

    def need_type(self) -> None:
        """Raise where the floats' type is not known."""
        if not self._known:
            message = (
                f"expected a value of known type for {self.name!r} in {self._scope.where} (got none); "
                "run onnx.shape_inference on the model, or inline its functions with onnx.inliner"
            )
            raise UnsupportedModelError(message)

    def take(self, output: str | None = None) -> list[onnx.NodeProto]:
        """Return the nodes; the last one writes ``output``."""
        if output is not None:
            self._nodes[-1].output[0] = output
        for node in self._nodes:
            node.name = node.name or node.output[0]
        return self._nodes

    def rename(self, tensor: str, name: str) -> None:
        """Give a value of these nodes another name."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if known == tensor else known for known in names]

    def _fresh(self, name: str) -> str:
        return super()._fresh(f"{self.name}_{name}" if self.name else name)
