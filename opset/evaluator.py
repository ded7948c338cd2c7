"""
The interpreter behind the backend: our operators by our kernels, all others by onnx's reference evaluator.

The reference evaluator builds the interpreters of subgraphs and of functions from its own class, so what
this class says about an operator holds in If, Loop and Scan too. Nothing of onnx is registered or patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun, RefAttrName

from .functions import FunctionKey, bound_function, function_key
from .operators import Operator, is_known, operator


class Evaluator(ReferenceEvaluator):
    """
    Runs a graph or a function.

    An operator's version is the one that the opset imports of the model, or of the function it stands in,
    say. Where a function of the model is named like an operator that ONNX has at that version, the operator
    is meant: ONNX leaves it open, and onnxruntime reads it so.
    """

    library: ClassVar[Mapping[FunctionKey, onnx.FunctionProto]] = {}
    """The model's functions. A class attribute: the class is all that the interpreters of a model share."""

    @classmethod
    def with_library(cls, library: Mapping[FunctionKey, onnx.FunctionProto]) -> type[Evaluator]:
        """Return this class for a model that has these functions."""
        return type(cls.__name__, (Evaluator,), {"library": library})

    @property
    def opsets(self) -> dict[str, int]:
        """Version by domain; ai.onnx under both of its names."""
        opsets = dict(self.opsets_)
        for name, other in (("", "ai.onnx"), ("ai.onnx", "")):
            if other in opsets:
                opsets.setdefault(name, opsets[other])
        return opsets

    def _load_impl(self, node: onnx.NodeProto, input_types: Any = None) -> Any:
        key = function_key(node)
        if key in self.library and not self._is_of_onnx(node):
            function = self.library[key]
            # A function must not call itself; without it the library cannot make that an endless loop.
            others = {other: self.library[other] for other in self.library if other != key}
            return partial(_FunctionCall, function=function, evaluator=self.with_library(others))
        if node.domain == "ai.onnx":
            plain = onnx.NodeProto()
            plain.CopyFrom(node)
            plain.domain = ""
            node = plain
        if is_known(node.op_type, node.domain) and node.domain in self.opsets:
            return partial(_KernelCall, row=operator(node.op_type, self.opsets[node.domain], node.domain))
        return super()._load_impl(node, input_types)

    def _is_of_onnx(self, node: onnx.NodeProto) -> bool:
        domain = "" if node.domain == "ai.onnx" else node.domain
        return bool(onnx.defs.has(node.op_type, self.opsets.get(domain, 1), domain))


class _KernelCall(OpRun):
    """A node that one of our kernels computes."""

    op_schema = None  # else the base class would fill in the attributes of the newest version

    def __init__(self, onnx_node: onnx.NodeProto, run_params: dict[str, Any], row: Operator) -> None:
        super().__init__(onnx_node, run_params)
        self.row = row

    def run(
        self, *args: Any, linked_attributes: Any = None, context: Any = None, bindings: Any = None
    ) -> Any:
        # In place of the base class's, which would turn our errors into its own.
        attributes = {}
        for attribute in self.onnx_node.attribute:
            value = getattr(self, attribute.name)
            if isinstance(value, RefAttrName):
                value = (linked_attributes or {}).get(value.name)
            attributes[attribute.name] = value
        return self._run(*args, attributes=attributes)

    def _run(self, *args: Any, attributes: Any = None) -> tuple[NDArray[Any], ...]:
        return self.row.run(args, attributes, outputs=len(self.onnx_node.output))


class _FunctionCall(OpRun):
    """A node that calls a function of the model, its attributes put in place beforehand."""

    op_schema = None  # a function may be named like an operator of another domain

    def __init__(
        self,
        onnx_node: onnx.NodeProto,
        run_params: dict[str, Any],
        function: onnx.FunctionProto,
        evaluator: type[Evaluator],
    ) -> None:
        super().__init__(onnx_node, run_params)
        self.body = evaluator(bound_function(function, onnx_node))

    def run(
        self, *args: Any, linked_attributes: Any = None, context: Any = None, bindings: Any = None
    ) -> Any:
        return self._run(*args)

    def _run(self, *args: Any) -> tuple[Any, ...]:
        # Inputs left out at the end are None, as those left out in the middle are.
        feeds = dict.fromkeys(self.body.input_names) | dict(zip(self.body.input_names, args, strict=False))
        return tuple(self.body.run(None, feeds, attributes={}))
