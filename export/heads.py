"""Classifier heads: features → logits → label and probabilities, as plain tensors."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from .arguments import check_batch, check_bias, check_labels, check_opset, check_weight
from .files import save_model, serialize

LABELS_KEY = "softops.labels"
"""Key of the model's metadata that holds the class names: a JSON list, in the order of the classes."""

VERSION_KEY = "softops.version"
"""Key of the model's metadata that holds the version of softops that wrote it."""

# Activation -> (operator or None, name of its output).
_ACTIVATIONS = {
    "softmax": ("Softmax", "probabilities"),
    "log_softmax": ("LogSoftmax", "log_probabilities"),
    "hardmax": ("Hardmax", "probabilities"),
    "none": (None, "logits"),
}
_CLASSES = "class_labels"
_TAKEN = ("weight", "bias", "logits", "class_index", _CLASSES, "label", "probabilities", "log_probabilities")


def classifier_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    labels: Sequence[str] | Sequence[int] | NDArray[Any] | None = None,
    activation: str = "softmax",
    opset: int = 17,
    dtype: DTypeLike | None = None,
    input_name: str = "features",
    batch: str | int = "batch",
    doc_string: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Build a linear classifier as an ONNX model.

    ``logits = features @ weight.T + bias``, ``probabilities = softmax(logits)`` along the classes and
    ``label = labels[argmax(logits)]``. With N rows, F features and C classes the model takes ``features``
    (N, F) and gives, in this order:

    - ``label`` (N,), int64 or string;
    - ``probabilities`` (N, C); ``log_probabilities`` for ``log_softmax``, ``logits`` for ``none``.

    Both are tensors, never a sequence of maps. The label is taken from the logits: it does not depend on
    the activation, and two probabilities that round to the same number do not hide which logit was larger.
    Of equal logits the first class wins.

    The graph is ``Gemm`` (with the weight as it is given, ``transB=1``), the activation with ``axis=1``
    written out — for a matrix that is the last axis under the rule of every opset version — and ``ArgMax``;
    ``Gather`` looks the label up where labels are not simply 0 … C−1. The model is checked by
    ``onnx.checker`` with full shape inference, its IR version is the lowest that the opset allows, and
    equal arguments give equal bytes.

    Parameters
    ----------
    weight
        (C, F), float32 or float64, finite.
    bias
        (C,), finite; none by default.
    labels
        C different strings or integers; 0 … C−1 by default. They are also kept in the model's metadata,
        under ``softops.labels``, as a JSON list.
    activation
        ``softmax``, ``log_softmax``, ``hardmax`` (1 for the winner, 0 for the others) or ``none``.
    opset
        Version of the ai.onnx operators, 7 to the newest that the installed ``onnx`` knows.
    dtype
        float32 or float64: what weight and bias are rounded to, and what the model takes and gives.
        The weight's own by default.
    input_name
        Name of the input.
    batch
        Name of the dynamic batch axis, or a fixed number of rows.
    doc_string
        Description kept in the model; one line about the shape by default.
    path
        Where to write the model as well. Nothing is written when anything fails.

    Raises
    ------
    TypeError
        A dtype, a label or the opset is of a type that is not taken.
    ValueError
        A shape, a number of labels or an opset that does not fit; a weight that is NaN or infinite, or
        overflows in ``dtype``; labels that repeat; an unknown activation; a name that is already taken.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Sources: ``ai.onnx@7::Gemm`` and later, ``ai.onnx@1::Softmax``, ``@11``, ``@13`` and its siblings,
    ``ai.onnx@1::ArgMax`` and later, ``ai.onnx@1::Gather`` and later.
    """
    if activation not in _ACTIVATIONS:
        message = f"expected an activation among {', '.join(_ACTIVATIONS)} (got {activation!r}); choose one"
        raise ValueError(message)
    if not isinstance(input_name, str) or not input_name or input_name in _TAKEN:
        message = (
            f"expected a name for the input that the graph does not use itself (got {input_name!r}; "
            f"used: {', '.join(_TAKEN)}); choose another input_name"
        )
        raise ValueError(message)
    check_opset(opset)
    check_batch(batch)
    matrix = check_weight(weight, dtype)
    offset = check_bias(bias, matrix)
    names = check_labels(labels, len(matrix))

    classes, features = matrix.shape
    if doc_string is None:
        doc_string = f"Linear classifier: {features} features to {classes} classes, activation {activation}."
    model = _build(
        matrix,
        offset,
        names,
        activation=activation,
        opset=opset,
        input_name=input_name,
        batch=batch,
        doc_string=doc_string,
    )
    onnx.checker.check_model(serialize(model), full_check=True)
    if path is not None:
        save_model(model, path)
    return model


def _build(
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    labels: NDArray[Any] | None,
    *,
    activation: str,
    opset: int,
    input_name: str,
    batch: str | int,
    doc_string: str,
) -> onnx.ModelProto:
    classes, features = weight.shape
    element = helper.np_dtype_to_tensor_dtype(weight.dtype)
    operator, output = _ACTIVATIONS[activation]

    if bias is None and opset < 11:
        # Only from version 11 on may Gemm go without its third input.
        bias = np.zeros(classes, weight.dtype)
    constants = {"weight": weight, **({} if bias is None else {"bias": bias})}
    nodes = [helper.make_node("Gemm", [input_name, *constants], ["logits"], "logits", transB=1)]
    if operator is not None:
        nodes.append(helper.make_node(operator, ["logits"], [output], output, axis=1))
    index = "label" if labels is None else "class_index"
    nodes.append(helper.make_node("ArgMax", ["logits"], [index], index, axis=1, keepdims=0))
    label_element = TensorProto.INT64
    if labels is not None:
        constants[_CLASSES] = labels
        nodes.append(helper.make_node("Gather", [_CLASSES, index], ["label"], "label", axis=0))
        label_element = TensorProto.INT64 if labels.dtype == np.int64 else TensorProto.STRING

    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    ir_version = helper.find_min_ir_version_for([helper.make_opsetid("", opset)])
    inputs = [helper.make_tensor_value_info(input_name, element, [batch, features])]
    if ir_version < 4:
        # Until IR version 4 an initializer is the default of an input, and has to be listed as one.
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in initializers]
    outputs = [
        helper.make_tensor_value_info("label", label_element, [batch]),
        helper.make_tensor_value_info(output, element, [batch, classes]),
    ]
    graph = helper.make_graph(nodes, "classifier_head", inputs, outputs, initializers)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=ir_version,
        producer_name="softops",
        producer_version=version("softops"),
        doc_string=doc_string,
    )
    metadata = {VERSION_KEY: version("softops")}
    if labels is not None:
        metadata[LABELS_KEY] = json.dumps(labels.tolist(), ensure_ascii=False)
    helper.set_model_props(model, metadata)
    return model
