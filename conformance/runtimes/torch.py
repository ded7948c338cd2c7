"""torch's own functions as a runtime, for models of a single operator that it has."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from softops.opset.errors import raise_interrupt

from ..errors import ModelNotSupportedError, RuntimeNotInstalledError
from ..measure.precision import OWN
from .options import options_of, threads_of
from .protocol import Feeds, LoadingRuntime, Run

Arguments = list[Any]


class TorchRuntime(LoadingRuntime):
    """torch on the CPU: ``torch.softmax`` and its relatives, called as the node says."""

    name = "torch"
    computes_in = OWN

    def __init__(self, threads: str = "") -> None:
        try:
            import torch
        except ImportError as error:
            raise_interrupt(error)
            message = 'expected torch to be installed (it is not); pip install "softops[torch]"'
            raise RuntimeNotInstalledError(message) from error
        self._torch = torch
        self._threads = threads_of(threads)
        self.version = str(torch.__version__)
        self.settings = ("threads=1", "threads=2", "threads=3")

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """Only what torch has a function for, in a dtype that it computes with."""
        if op not in _CALLS:
            return f"torch has no function for {op}"
        if dtype in ("uint16", "uint32", "uint64"):
            return f"torch computes nothing in {dtype}"
        return None

    def configured(self, setting: str) -> TorchRuntime:
        """Return the same runtime with another number of threads."""
        return TorchRuntime(setting.partition("=")[2])

    def load(self, model: bytes) -> Run:
        """Read the node and return what calls its function."""
        proto = onnx.load_from_string(model)
        if len(proto.graph.node) != 1 or proto.functions or proto.graph.node[0].op_type not in _CALLS:
            message = "torch's functions run single nodes alone"
            raise ModelNotSupportedError(message)
        node = proto.graph.node[0]
        opset = next(entry.version for entry in proto.opset_import if entry.domain == node.domain)
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        call = _CALLS[node.op_type]

        def run(feeds: Feeds) -> Sequence[NDArray[Any]]:
            given = [self._tensor(feeds[name]) if name else None for name in node.input]
            before = self._torch.get_num_threads()
            try:
                if self._threads:
                    self._torch.set_num_threads(self._threads)
                with self._torch.no_grad():
                    outputs = call(self._torch, given, attributes, opset)
            except (NotImplementedError, RuntimeError) as error:
                if "not implemented for" in str(error):
                    raise ModelNotSupportedError(" ".join(str(error).split())) from error
                raise
            finally:
                self._torch.set_num_threads(before)
            return [self._array(output) for output in outputs[: len(node.output)]]

        return run

    def _tensor(self, x: NDArray[Any]) -> Any:
        x = np.array(x, order="C")  # torch takes neither read-only arrays nor negative strides
        if x.dtype == ml_dtypes.bfloat16:
            return self._torch.from_numpy(x.view(np.int16)).view(self._torch.bfloat16)
        return self._torch.from_numpy(x)

    def _array(self, tensor: Any) -> NDArray[Any]:
        if tensor.dtype == self._torch.bfloat16:
            bits = tensor.contiguous().view(self._torch.int16).numpy()
            return np.asarray(bits.view(ml_dtypes.bfloat16))
        return np.array(tensor.numpy())


def from_options(options: str) -> TorchRuntime:
    """Make the runtime from ``threads=...``."""
    return TorchRuntime(**options_of("torch", options, {"threads": ""}))


def _along_axis(name: str) -> Callable[..., list[Any]]:
    def call(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
        (x,) = given
        axis = attributes.get("axis", 1 if opset < 13 else -1)
        if opset >= 13:
            return [getattr(torch, name)(x, axis)]
        axis += x.ndim if axis < 0 else 0
        return [getattr(torch, name)(x.flatten(axis), axis).reshape(x.shape)]

    return call


def _elementwise(name: str) -> Callable[..., list[Any]]:
    return lambda torch, given, attributes, opset: [getattr(torch.nn.functional, name)(given[0])]


def _logsumexp(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
    x = given[0]
    axes = attributes.get("axes")
    if opset >= 18:
        axes = given[1].tolist() if len(given) > 1 else None
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return [x]
    axes = axes or list(range(x.ndim))
    return [torch.logsumexp(x, tuple(axes), keepdim=bool(attributes.get("keepdims", 1))).to(x.dtype)]


def _loss(name: str) -> Callable[..., list[Any]]:
    def call(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
        x, labels, *rest = given
        options = {
            "weight": rest[0] if rest else None,
            "reduction": attributes.get("reduction", b"mean").decode(),
            "ignore_index": attributes.get("ignore_index", -100),
        }
        loss = getattr(torch.nn.functional, name)(x, labels.long(), **options)
        return [loss] if name == "nll_loss" else [loss, torch.log_softmax(x, 1)]

    return call


def _arg_max(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
    if attributes.get("select_last_index", 0):
        message = "torch.argmax does not choose among equals"
        raise ModelNotSupportedError(message)
    return [torch.argmax(given[0], attributes.get("axis", 0), keepdim=bool(attributes.get("keepdims", 1)))]


def _top_k(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
    k = attributes["k"] if opset < 10 else int(given[1][0])
    largest = bool(attributes.get("largest", 1))
    return list(torch.topk(given[0], k, attributes.get("axis", -1), largest=largest))


def _attention(torch: Any, given: Arguments, attributes: dict[str, Any], opset: int) -> list[Any]:
    q, k, v, *rest = given
    unknown = attributes.keys() - {"scale"}  # the numbers of heads of three axes among them
    if unknown or len(rest) > 1:
        message = "scaled_dot_product_attention has no such attributes or inputs"
        raise ModelNotSupportedError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function = torch.nn.functional.scaled_dot_product_attention
        options = {"scale": attributes.get("scale"), "enable_gqa": q.shape[1] != k.shape[1]}
        return [function(q, k, v, *rest, **options)]


_CALLS: dict[str, Callable[..., list[Any]]] = {
    "Softmax": _along_axis("softmax"),
    "LogSoftmax": _along_axis("log_softmax"),
    "Sigmoid": _elementwise("sigmoid"),
    "Softplus": _elementwise("softplus"),
    "ReduceLogSumExp": _logsumexp,
    "SoftmaxCrossEntropyLoss": _loss("cross_entropy"),
    "NegativeLogLikelihoodLoss": _loss("nll_loss"),
    "ArgMax": _arg_max,
    "TopK": _top_k,
    "Attention": _attention,
}
