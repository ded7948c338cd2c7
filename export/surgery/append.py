"""A head at the end of an existing model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from softops.opset import ModelSource, operator

from ..builder.arguments import TEMPERATURE_KEY, check_labels
from ..builder.choice import Choice
from ..builder.graph import VERSION_KEY
from ..builder.outputs import label_dtype, lookup
from ..builder.steps import top_k as add_top_k
from .append_arguments import (
    Dims,
    Labels,
    check_logits,
    check_place,
    check_several,
    count_classes,
    float_output,
    free_names,
    one_temperature,
)
from .opened import OpenModel, open_model
from .patch import Patch

Appended = Literal["softmax", "log_softmax", "hardmax", "sigmoid", "argmax", "none"]
# Activation -> (operator or None, name of its output or None).
ACTIVATIONS: dict[Appended, tuple[str | None, str | None]] = {
    "softmax": ("Softmax", "probabilities"),
    "log_softmax": ("LogSoftmax", "log_probabilities"),
    "hardmax": ("Hardmax", "probabilities"),
    "sigmoid": ("Sigmoid", "probabilities"),
    "argmax": (None, None),
    "none": (None, None),
}


def append_head(
    model: ModelSource,
    output: str | None = None,
    *,
    activation: Appended = "softmax",
    axis: int = -1,
    temperature: float | None = None,
    labels: Labels | None = None,
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
        The model has no such output; an unknown activation, an axis or a number of labels that does not fit, an
        axis of length 1 (but for a sigmoid alone),
        labels that repeat, a temperature of 0, a name that is taken, or nothing to append; a softmax or sigmoid
        of what is one already.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.

    Notes
    -----
    Halves are cast to float32, computed there, and rounded once.
    Sources: ``ai.onnx@1::Softmax``, ``@11``, ``@13`` and its siblings, ``ai.onnx@1::ArgMax``,
    ``ai.onnx@1::TopK``, ``ai.onnx@1::Gather`` and later.

    Examples
    --------
    >>> bare = classifier_head(np.eye(3, dtype=np.float32), activation="none", outputs=["logits"])
    >>> model = append_head(bare, "logits", labels=["a", "b", "c"])
    >>> [output.name for output in model.graph.output]
    ['logits', 'label', 'probabilities']
    """
    if activation not in ACTIVATIONS:
        message = f"expected an activation among {', '.join(ACTIVATIONS)} (got {activation!r}); choose one"
        raise ValueError(message)
    if activation == "none" and labels is None and top_k is None:
        message = "expected something to append (got activation 'none'); pass labels, top_k or an activation"
        raise ValueError(message)
    opened = open_model(model)
    logits, element, dims = float_output(opened, output)
    check_logits(opened, logits, activation)
    at = check_place(axis, len(dims), logits)
    if (
        activation in ("softmax", "log_softmax", "hardmax", "argmax")
        or labels is not None
        or top_k is not None
    ):
        check_several(dims, at, labels, logits)
    classes, top_k = count_classes(dims[at], labels, top_k)
    table = check_labels(labels, classes)

    head = _Head(opened, element)
    scaled = head.wide(logits)
    metadata = {VERSION_KEY: version("softops")}
    if temperature is not None:
        divisor = one_temperature(temperature, head.compute)
        metadata[TEMPERATURE_KEY] = json.dumps(divisor.tolist())
        scaled = head.node("Div", scaled, head.number("temperature", divisor), name="scaled_logits")
    choice = Choice(labels=table, outputs=(), top_k=top_k, threshold=None, abstain_label=None, zipmap=False)
    wants_label = activation == "argmax" or labels is not None
    found = _add(head, scaled, activation, at, dims, choice, wants_label)
    metadata |= choice.metadata()

    chosen = free_names(names, [name for name, *_ in found], opened)
    graph = opened.model.graph
    for name, tensor, kind, shape_ in found:
        head.rename(tensor, chosen[name])
        graph.output.append(helper.make_tensor_value_info(chosen[name], kind, shape_))
    graph.node.extend(head.take())
    if not keep_output:
        del graph.output[[entry.name for entry in graph.output].index(logits)]
    known = {entry.key: entry.value for entry in opened.model.metadata_props}
    helper.set_model_props(opened.model, known | metadata)
    return opened.finish(path)


class _Head(Patch):
    """Nodes at the end of the main graph, their constants as initializers, which take strings at any opset."""

    def __init__(self, opened: OpenModel, element: int) -> None:
        super().__init__(opened.scope, "", element)
        self._opened = opened

    def constant(self, name: str, value: NDArray[Any] | TensorProto) -> str:
        tensor = self._fresh(name)
        assert isinstance(value, np.ndarray)
        self._opened.add_initializer(numpy_helper.from_array(value, tensor))
        return tensor


_Found = tuple[str, str, int, Dims]
"""Documented name of an output, the value that becomes it, its element type and its shape."""


def _add(
    head: _Head,
    x: str,
    activation: Appended,
    axis: int,
    dims: Dims,
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


def _activate(head: _Head, op_type: str, x: str, axis: int, dims: Dims) -> str:
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
