"""A head at the end of an existing model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from softops.opset import ModelSource, operator

from .arguments import check_labels, check_temperature, check_top_k
from .graph import VERSION_KEY
from .heads import TEMPERATURE_KEY
from .opened import OpenModel, open_model
from .outputs import Choice, label_dtype, lookup
from .patch import FLOATS, Patch
from .steps import top_k as add_top_k

# Activation -> (operator or None, name of its output or None).
ACTIVATIONS: dict[str, tuple[str | None, str | None]] = {
    "softmax": ("Softmax", "probabilities"),
    "log_softmax": ("LogSoftmax", "log_probabilities"),
    "hardmax": ("Hardmax", "probabilities"),
    "sigmoid": ("Sigmoid", "probabilities"),
    "argmax": (None, None),
    "none": (None, None),
}

_Labels = Sequence[str] | Sequence[int] | NDArray[Any]
_Dims = list[int | str | None]


def append_head(
    model: ModelSource,
    output: str | None = None,
    *,
    activation: str = "softmax",
    axis: int = -1,
    temperature: float | None = None,
    labels: _Labels | None = None,
    top_k: int | None = None,
    keep_output: bool = True,
    names: Mapping[str, str] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Append probabilities, labels and the k best classes to an output of an existing model.

    With the output's values x, C of them along ``axis``, these outputs are added, in this order:

    - ``label``, for ``argmax`` or where labels are given: ``labels[argmax(x)]``, or the index itself (int64);
      the shape of x without ``axis``;
    - ``probabilities`` or ``log_probabilities``, in the dtype and shape of x;
    - ``top_k_values`` (of the activation), ``top_k_indices`` (int64) and, where labels other than 0 … C−1 are
      given, ``top_k_labels``, best first; the shape of x with k along ``axis``.

    Label and order of the k best are taken from x, not from the activation, where two probabilities can
    round to the same number; of equal ones the first class wins. All other outputs keep their values, and all
    other values their names. Where a name is taken, a number is added to it.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    output
        Name of the output; it may be left out where the model has one alone.
    activation
        ``softmax``, ``log_softmax``, ``hardmax`` (1 for the winner, 0 for the others), ``sigmoid``,
        ``argmax`` (the label alone) or ``none`` (labels or the k best alone).
    axis
        Along which the classes lie. At every opset this axis alone is normalized: below 13, where the
        operators take all trailing dimensions together, it is transposed to the end if need be.
    temperature
        Positive: x is divided by it.
    labels
        C different strings or integers; also kept in the model's metadata, under ``softops.labels``.
    top_k
        How many of the best classes to give; 1 to C.
    keep_output
        Whether ``output`` stays an output of the model.
    names
        Names of the new outputs that shall differ: ``{"probabilities": "scores"}``.
    path
        Where to write the model as well; files of tensors are copied beside it. Nothing is written when
        anything fails.

    Returns
    -------
    onnx.ModelProto
        At the opset and IR version of ``model``.

    Raises
    ------
    ModelError
        Not a model, or not a valid one, or one of an opset below 7.
    TypeError
        The output is no tensor of floats; a label of a type that is not taken.
    ValueError
        The model has no such output; an unknown activation, an axis or a number of labels that does not fit,
        labels that repeat, a temperature of 0, a name that is taken, or nothing to append.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.

    Notes
    -----
    Halves are cast to float32, computed there, and rounded once.
    Sources: ``ai.onnx@1::Softmax``, ``@11``, ``@13`` and its siblings, ``ai.onnx@1::ArgMax``,
    ``ai.onnx@1::TopK``, ``ai.onnx@1::Gather`` and later.
    """
    if activation not in ACTIVATIONS:
        message = f"expected an activation among {', '.join(ACTIVATIONS)} (got {activation!r}); choose one"
        raise ValueError(message)
    if activation == "none" and labels is None and top_k is None:
        message = "expected something to append (got activation 'none'); pass labels, top_k or an activation"
        raise ValueError(message)
    opened = open_model(model)
    value = _output(opened.model.graph, output)
    dims = _dims(value)
    at = _axis(axis, len(dims), value.name)
    classes = _classes(dims[at], labels, top_k)
    table = check_labels(labels, classes)

    head = _Head(opened, value.type.tensor_type.elem_type)
    logits, scaled = value.name, head.wide(value.name)
    metadata = {VERSION_KEY: version("softops")}
    if temperature is not None:
        divisor = _divisor(temperature, head.compute)
        metadata[TEMPERATURE_KEY] = json.dumps(divisor.tolist())
        scaled = head.node("Div", scaled, head.number("temperature", divisor), name="scaled_logits")
    choice = Choice(labels=table, outputs=(), top_k=top_k, threshold=None, abstain_label=None, zipmap=False)
    wants_label = activation == "argmax" or labels is not None
    found = _add(head, scaled, activation, at, dims, choice, wants_label)
    metadata |= choice.metadata()

    chosen = _names(names, [name for name, *_ in found], opened)
    graph = opened.model.graph
    for name, tensor, element, shape_ in found:
        head.rename(tensor, chosen[name])
        graph.output.append(helper.make_tensor_value_info(chosen[name], element, shape_))
    graph.node.extend(head.take())
    if not keep_output:
        del graph.output[[entry.name for entry in graph.output].index(logits)]
    known = {entry.key: entry.value for entry in opened.model.metadata_props}
    helper.set_model_props(opened.model, known | metadata)
    return opened.finish(path)


class _Head(Patch):
    """Nodes at the end of the main graph, their constants as initializers, which take strings at any opset."""

    def __init__(self, opened: OpenModel, element: int) -> None:
        super().__init__(opened, "", element)
        self._opened = opened

    def constant(self, name: str, value: NDArray[Any] | TensorProto) -> str:
        tensor = self._fresh(name)
        assert isinstance(value, np.ndarray)
        self._opened.add_initializer(numpy_helper.from_array(value, tensor))
        return tensor


_Found = tuple[str, str, int, _Dims]
"""Documented name of an output, the value that becomes it, its element type and its shape."""


def _add(
    head: _Head,
    x: str,
    activation: str,
    axis: int,
    dims: _Dims,
    choice: Choice,
    wants_label: bool,
) -> list[_Found]:
    k = choice.top_k
    label_element = helper.np_dtype_to_tensor_dtype(label_dtype(choice.labels))
    element = helper.np_dtype_to_tensor_dtype(head.dtype)
    found: list[_Found] = []
    if wants_label:
        winner = head.node("ArgMax", x, name="class_index", axis=axis, keepdims=0)
        name = lookup(head, choice, winner, name="class_label")
        found.append(("label", name, label_element, dims[:axis] + dims[axis + 1 :]))

    operator_, public = ACTIVATIONS[activation]
    scores = x if operator_ is None else _activate(head, operator_, x, axis, dims)
    if public is not None:
        found.append((public, _narrow(head, scores), element, dims))
    if k is not None:
        best = [*dims[:axis], k, *dims[axis + 1 :]]
        values, indices = add_top_k(head, x, k, axis=axis, names=["best_logits", "best_indices"])
        if scores != x:
            # An activation never falls where its argument rises: its k largest belong to the same classes.
            values, _ = add_top_k(head, scores, k, axis=axis, names=["best_values", "best_positions"])
        found.append(("top_k_values", _narrow(head, values), element, best))
        found.append(("top_k_indices", indices, TensorProto.INT64, best))
        if choice.labels is not None:
            found.append(
                ("top_k_labels", lookup(head, choice, indices, name="best_labels"), label_element, best)
            )
    return found


def _activate(head: _Head, op_type: str, x: str, axis: int, dims: _Dims) -> str:
    if op_type == "Sigmoid":
        return head.node(op_type, x, name="scores")
    flat = operator(op_type, head.opset).axis_rule == "flatten"
    if not flat or all(dim == 1 for dim in dims[axis + 1 :]):
        return head.node(op_type, x, name="scores", axis=axis)
    last = len(dims) - 1
    swap = [last if i == axis else axis if i == last else i for i in range(len(dims))]
    turned = head.node("Transpose", x, name="classes_last", perm=swap)
    scores = head.node(op_type, turned, name="scores_last", axis=last)
    return head.node("Transpose", scores, name="scores", perm=swap)


def _narrow(head: _Head, tensor: str) -> str:
    return tensor if head.dtype == head.compute else head.cast(tensor, head.dtype)


def _output(graph: onnx.GraphProto, name: str | None) -> onnx.ValueInfoProto:
    value = named_output(graph, name)
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type not in FLOATS:
        kind = value.type.WhichOneof("value")
        got = TensorProto.DataType.Name(tensor.elem_type).lower() if kind == "tensor_type" else kind
        message = f"expected an output of floats (got {got} for {value.name!r}); name the one of the logits"
        raise TypeError(message)
    return value


def named_output(graph: onnx.GraphProto, name: str | None) -> onnx.ValueInfoProto:
    """Return the output of that name; of a graph with one output alone, that one."""
    outputs: dict[str, onnx.ValueInfoProto] = {value.name: value for value in graph.output}
    if name is None and len(outputs) == 1:
        return next(iter(outputs.values()))
    if name is None or name not in outputs:
        got = "none was named" if name is None else f"got {name!r}"
        message = f"expected an output among {', '.join(outputs)} ({got}); name one of these"
        raise ValueError(message)
    return outputs[name]


def _dims(value: onnx.ValueInfoProto) -> _Dims:
    return [
        int(dim.dim_value) if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in value.type.tensor_type.shape.dim
    ]


def _axis(axis: int, rank: int, name: str) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        message = f"expected the axis as an integer (got {axis!r}); pass for instance axis=-1"
        raise TypeError(message)
    if not -rank <= axis < rank:
        room = f"an axis in [{-rank}, {rank - 1}]" if rank else "an output with axes"
        message = f"expected {room} (got axis {axis} of {name!r}); choose the axis of the classes"
        raise ValueError(message)
    return int(axis) % rank


def _classes(dim: int | str | None, labels: _Labels | None, k: int | None) -> int:
    """Return how many classes there are, or how many there are at least."""
    many = dim if isinstance(dim, int) else None
    if many is None and labels is not None and not isinstance(labels, str):
        many = len(labels)
    if k is not None:
        check_top_k(k, many if many is not None else k)
    return many if many is not None else (k or 1)


def _divisor(temperature: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    if np.ndim(temperature):
        message = f"expected the temperature as a number (got {temperature!r}); pass for instance 1.5"
        raise TypeError(message)
    return check_temperature(temperature, 1, dtype)


def _names(names: Mapping[str, str] | None, documented: list[str], opened: OpenModel) -> dict[str, str]:
    chosen = dict(names or {})
    if unknown := [name for name in chosen if name not in documented]:
        message = (
            f"expected names for the outputs {', '.join(documented)} (got one for {unknown[0]!r}); "
            "leave it out"
        )
        raise ValueError(message)
    for name in chosen.values():
        if not isinstance(name, str) or not name or opened.fresh(name) != name:
            message = f"expected names that are free in the model (got {name!r}); choose another"
            raise ValueError(message)
    return {name: chosen.get(name) or opened.fresh(name) for name in documented}
