"""PyTorch modules to ONNX: a stack of layers that ends in a linear one, read by its state_dict."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack

import onnx
from numpy.typing import ArrayLike, NDArray

from ..builder.choice import HeadOptions, read_choice, split_options
from ..builder.floats import as_floats
from ..builder.graph import Graph
from ..builder.layers import add_batch_norm, add_gelu, add_layer_norm
from ..builder.options import check_dtype, read_options
from ..builder.outputs import add_outputs
from ..builder.steps import linear
from ..heads.sigmoid import both_signs, pair_of_logistic, second_class
from ..heads.softmax import Activation, add_classifier, check_activation, scale

Parameters = Mapping[str, NDArray[Any]]
Layer = tuple[str, Any, Parameters]  # where it is in the module, the layer, its arrays

# How to go on with any module: `tests/export/sources/test_torch.py` runs these lines.
_EXPORT = (
    "torch.onnx.export(module.eval(), (x,), 'logits.onnx', input_names=['x'], output_names=['logits'], "
    "dynamo=True, dynamic_shapes=({0: 'batch'},))"
)
_APPEND = "append_head('logits.onnx', 'logits', labels=names, path='model.onnx')"
_KINDS = "Linear, ReLU, GELU, Tanh, Dropout, LayerNorm, BatchNorm1d, Identity and Sequential of these"


def from_torch(
    module: Any,
    *,
    activation: Activation = "softmax",
    temperature: ArrayLike | None = None,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build the ONNX model of a PyTorch classifier.

    The module's last layer gives the logits; label, probabilities and whatever else is asked for follow as
    in `classifier_head`. With N rows and F features the model takes ``features`` (N, F). A last layer of one
    output is the logit of the second of two classes: ``probabilities`` are (N, 2), ``logits`` (N, 1), and the
    label is the second class where the logit is above 0.

    Parameters
    ----------
    module
        ``torch.nn.Linear``, or ``torch.nn.Sequential`` of Linear, ReLU, GELU, Tanh, Dropout, LayerNorm,
        BatchNorm1d and Identity that ends in Linear; nested ones are fine. Taken as in ``module.eval()``,
        whatever its mode: Dropout does nothing, BatchNorm1d uses its running statistics. The module is not
        changed.
    activation, temperature
        As for `classifier_head`.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``)
        and `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``). The dtype is that of the parameters by default.

    Raises
    ------
    TypeError
        It is no module, or has a layer of another kind (a subclass is one: its ``forward`` is not read).
    ValueError
        It does not end in Linear, layers do not fit each other, a layer has hooks or no running statistics,
        GELU before opset 9; and as `classifier_head`.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32 and rounded once at the outputs; PyTorch rounds after every layer.
    LayerNorm divides by √(variance + eps) like PyTorch; BatchNorm1d multiplies by weight / √(running_var + eps),
    which is computed in float64 and rounded once.
    """
    check_activation(activation)
    head, common = split_options(options)
    settings = read_options(common)
    layers = list(_layers(module))
    where, last, parameters = layers[-1] if layers else ("", None, {})
    if _kind(last) != "Linear":
        message = (
            f"expected a module that ends in Linear (got {_kind(last)} at {where!r}); "
            "leave the activation out and name it with activation="
        )
        raise ValueError(message)
    weight = parameters["weight"]
    classes = len(weight)
    mixed = {array.dtype.name for _, _, arrays in layers for array in arrays.values()}
    if settings.dtype is None and len(mixed) > 1:
        message = f"expected parameters of one dtype (got {', '.join(sorted(mixed))}); pass dtype='float32'"
        raise ValueError(message)
    dtype = check_dtype(weight.dtype if settings.dtype is None else settings.dtype, settings.opset)

    features = _check_widths(layers)
    graph = Graph("torch", settings, dtype)
    x = graph.input("features", [settings.batch, features])
    for _, layer, arrays in layers[:-1]:
        x = _ADD[_kind(layer)](graph, x, layer, arrays)
    logits = linear(graph, x, weight, parameters.get("bias"), name="logits")
    if classes == 1:
        metadata = _add_pair(graph, logits, head, activation, temperature)
    else:
        metadata = add_classifier(
            graph, logits, classes, head, activation=activation, temperature=temperature
        )
    text = f"PyTorch module: {features} features to {max(classes, 2)} classes, activation {activation}."
    return graph.finish(text, metadata)


def _add_pair(
    graph: Graph, logit: str, options: HeadOptions, activation: str, temperature: ArrayLike | None
) -> dict[str, str]:
    """Add everything after the one logit (N, 1) of two classes."""
    if activation != "softmax":
        message = (
            f"expected activation='softmax' for a last Linear of one output, the logit of two classes (got "
            f"{activation!r}); leave it out"
        )
        raise ValueError(message)
    choice = read_choice(options, classes=2, scores=("probabilities", "logits"))
    scaled, metadata = scale(graph, logit, temperature, 1)
    add_outputs(
        graph,
        choice,
        {"probabilities": lambda: pair_of_logistic(graph, scaled), "logits": lambda: logit},
        lambda: both_signs(graph, scaled),
        classes=2,
        index=lambda: second_class(graph, scaled, graph.number("zero", 0)),
        widths={"logits": 1},
    )
    return choice.metadata() | metadata


def _add_linear(graph: Graph, x: str, layer: Any, arrays: Parameters) -> str:
    return linear(graph, x, arrays["weight"], arrays.get("bias"), name="hidden")


def _add_gelu(graph: Graph, x: str, layer: Any, arrays: Parameters) -> str:
    return add_gelu(graph, x, tanh=layer.approximate == "tanh")


def _add_layer_norm(graph: Graph, x: str, layer: Any, arrays: Parameters) -> str:
    return add_layer_norm(graph, x, layer.eps, arrays.get("weight"), arrays.get("bias"))


def _add_batch_norm(graph: Graph, x: str, layer: Any, arrays: Parameters) -> str:
    mean, variance = arrays["running_mean"], arrays["running_var"]
    return add_batch_norm(graph, x, mean, variance, layer.eps, arrays.get("weight"), arrays.get("bias"))


_ADD: dict[str, Callable[[Graph, str, Any, Parameters], str]] = {
    "Linear": _add_linear,
    "ReLU": lambda graph, x, layer, arrays: graph.node("Relu", x, name="relu"),
    "GELU": _add_gelu,
    "Tanh": lambda graph, x, layer, arrays: graph.node("Tanh", x, name="tanh"),
    "LayerNorm": _add_layer_norm,
    "BatchNorm1d": _add_batch_norm,
}
# What does nothing once the module is trained.
_IDLE = ("Dropout", "Identity")

_WIDTH = {"Linear": "in_features", "BatchNorm1d": "num_features"}


def _layers(module: Any) -> Iterator[Layer]:
    """Yield the layers in order with their arrays, those that do nothing left out."""
    torch: Any = sys.modules.get("torch")  # not imported: whoever has a module has imported it
    if torch is None or not isinstance(module, torch.nn.Module):
        message = f"expected a torch.nn.Module (got {type(module).__name__}); pass nn.Linear or nn.Sequential"
        raise TypeError(message)
    state = module.state_dict()
    for name, layer in module.named_modules(remove_duplicate=False):
        kind = _kind(layer)
        if type(layer) is not getattr(torch.nn, kind, None) or kind not in (*_ADD, *_IDLE, "Sequential"):
            message = (
                f"expected layers among {_KINDS} (got {_full_name(layer)} at {name!r}); for any other network call "
                f"{_EXPORT}, then {_APPEND}"
            )
            raise TypeError(message)
        if layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer):
            message = (
                f"expected layers without hooks or a forward of their own (got some at {name!r}); "
                "remove them, they are not exported"
            )
            raise ValueError(message)
        if kind in _ADD:
            prefix = f"{name}." if name else ""
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            own.pop("num_batches_tracked", None)
            yield name, layer, {key: as_floats(prefix + key, value, None) for key, value in own.items()}


def _check_widths(layers: list[Layer]) -> int:
    """Return the number of features; raise where a layer does not take what the one before it gives."""
    first = width = None
    for name, layer, arrays in layers:
        kind = _kind(layer)
        if kind == "BatchNorm1d" and "running_mean" not in arrays:
            message = f"expected BatchNorm1d with running statistics (got none at {name!r}); train with them"
            raise ValueError(message)
        if kind == "LayerNorm" and len(layer.normalized_shape) != 1:
            shape = tuple(layer.normalized_shape)
            message = (
                f"expected LayerNorm over one axis (got {shape} at {name!r}); give it the number of features"
            )
            raise ValueError(message)
        takes = (
            layer.normalized_shape[0] if kind == "LayerNorm" else getattr(layer, _WIDTH.get(kind, ""), width)
        )
        if width is not None and takes != width:
            message = f"expected a layer that takes {width} features at {name!r} (got {takes}); make them fit"
            raise ValueError(message)
        first = takes if first is None else first
        width = layer.out_features if kind == "Linear" else takes
    assert first is not None  # the last layer is linear
    return int(first)


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _full_name(layer: Any) -> str:
    """``SiLU`` for a layer of torch.nn; for others, which may be called like one, the module too."""
    kind = type(layer)
    ours = kind.__module__.startswith("torch.nn.modules.")
    return kind.__qualname__ if ours else f"{kind.__module__}.{kind.__qualname__}"
