"""The interface of `onnx.backend.base`: a class, and its methods as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend
from onnx.onnx_cpp2py_export import checker as c_checker

from ..errors import ModelError, UnknownOpsetError, one_line
from ..graph.domains import newest_version, opset_versions
from ..graph.external import external_tensors
from ..graph.functions import functions_by_key
from ..graph.model import ModelSource, load_model
from ..nodes.node import with_short_domain
from .checks import check_model, check_opset
from .prepared import SoftopsBackendRep


class SoftopsBackend(Backend):
    """The backend; its methods are also functions of this module."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether the backend runs there: on ``"CPU"`` only."""
        return device == "CPU"

    @classmethod
    def is_compatible(cls, model: ModelSource, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether `prepare` takes the model."""
        if not cls.supports_device(device):
            return False
        try:
            cls.prepare(model, device, **kwargs)
        except (ModelError, UnknownOpsetError):
            return False
        return True

    @classmethod
    def prepare(
        cls,
        model: ModelSource,
        device: str = "CPU",
        *,
        check: bool = True,
        fuse: bool = True,
        **kwargs: Any,
    ) -> SoftopsBackendRep:
        """
        Make a model ready to run.

        Parameters
        ----------
        model
            Path of an ``.onnx`` file (its external data is read as well), its bytes, or a ``ModelProto``.
        device
            ``"CPU"``.
        check
            Have ``onnx.checker`` look at the model first, and the types of all values compared with what the
            operators take. Some exporters write models that it rejects and every runtime takes; False is for
            these, and for functions whose opset reads an operator otherwise than the model's, which ONNX
            forbids: they run by their own.
        fuse
            Compute as one what `softops inspect --fusions` lists, where no value inside is asked for. Results then
            differ by roundings; docs/fusions.md says what else may differ. False runs each node by itself.

        Raises
        ------
        ModelError
            Not a model, not a valid one, one whose external data is not at hand, or one that nobody can follow: see
            `load_model`.
        UnsupportedModelError
            An operator of the model is unknown, to us and to onnx's reference evaluator.
        UnknownOpsetError
            The model imports a newer opset of ai.onnx than the installed onnx knows.
        """
        _take_no_more(kwargs)
        _check_device(device)
        proto = load_model(model)
        opsets = opset_versions(proto.opset_import) or {"": 1}
        check_opset(opsets.get("", 1))
        if outside := external_tensors(proto):
            message = (
                f"expected a model whole in memory (got one with {len(outside)} tensors in files, such as "
                f"{outside[0]!r}); pass the model's path"
            )
            raise ModelError(message)
        if check:
            try:
                check_model(proto, model)
            except ModelError as error:
                message = f"{error}, or pass check=False"
                raise ModelError(message) from error
        return SoftopsBackendRep(proto.graph, opsets, functions_by_key(proto.functions), fuse=fuse)

    @classmethod
    def run_model(  # type: ignore[override]
        cls, model: ModelSource, inputs: Mapping[str, Any] | Sequence[Any], device: str = "CPU", **kwargs: Any
    ) -> list[Any]:
        """Run a model once: `prepare` and `SoftopsBackendRep.run` in one."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(  # type: ignore[override]
        cls,
        node: onnx.NodeProto,
        inputs: Mapping[str, Any] | Sequence[Any],
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        *,
        opset_version: int | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """
        Run a single node.

        Parameters
        ----------
        node
            The node; inputs left out have the name ``""``.
        inputs
            Its inputs, by name or in order, without those left out.
        outputs_info
            Not needed here; part of the interface.
        opset_version
            Version of the node's domain; None for the newest.

        Raises
        ------
        ModelError, FeedError, UnknownOpsetError
            As for `prepare` and `SoftopsBackendRep.run`.
        """
        _take_no_more(kwargs)
        _check_device(device)
        node = with_short_domain(node)
        newest = onnx.defs.onnx_opset_version()
        opsets = {"": newest}
        if not node.domain:
            opsets[""] = newest if opset_version is None else opset_version
            check_opset(opsets[""])
        else:
            opsets[node.domain] = opset_version or newest_version(node.domain) or 1
        context = c_checker.CheckerContext()
        context.ir_version = onnx.IR_VERSION
        context.opset_imports = opsets
        try:
            onnx.checker.check_node(node, context)
        except onnx.checker.ValidationError as error:
            message = f"expected a valid node (onnx.checker: {one_line(error)}); correct it"
            raise ModelError(message) from error
        graph = onnx.GraphProto(node=[node])
        names = dict.fromkeys(name for name in node.input if name)
        given = inputs if isinstance(inputs, Mapping) else dict(zip(names, inputs, strict=False))
        graph.input.extend(_value_info(name, given.get(name)) for name in names)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
        return SoftopsBackendRep(graph, opsets, {}).run(inputs)


prepare = SoftopsBackend.prepare
run_model = SoftopsBackend.run_model
run_node = SoftopsBackend.run_node
supports_device = SoftopsBackend.supports_device
is_compatible = SoftopsBackend.is_compatible


def _check_device(device: str) -> None:
    if not SoftopsBackend.supports_device(device):
        message = f"expected the device 'CPU' (got {device!r}); there is no other"
        raise ValueError(message)


def _take_no_more(options: Mapping[str, Any]) -> None:
    if options:
        message = f"expected no further options (got {', '.join(options)}); leave them out"
        raise TypeError(message)


def _value_info(name: str, value: Any) -> onnx.ValueInfoProto:
    if not isinstance(value, np.ndarray):
        return onnx.ValueInfoProto(name=name)
    return onnx.helper.make_tensor_value_info(
        name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
    )
