"""The output of an existing model that a head is appended to, and what is appended, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset.graph.types import declared_type, shape_words, type_word

from ..builder.arguments import check_temperature
from ..builder.counts import check_integer, check_top_k
from .branches import head_behind, with_heads_inlined
from .chains import Heads
from .classifiers import is_classical
from .opened import OpenModel
from .patch import FLOATS

Labels = Sequence[str] | Sequence[int] | NDArray[Any]
Dims = list[int | str | None]

_NEEDS_LOGITS = ("softmax", "log_softmax", "sigmoid")
# A log-softmax is none of these: its softmax is that of the logits.
_PROBABILITIES = ("Softmax", "Hardmax", "Sigmoid")


def float_output(opened: OpenModel, name: str | None) -> tuple[str, int, Dims]:
    """Return name, element type and dimensions of an output of floats, as far as they can be told."""
    value = named_output(opened.model.graph, name)
    known = opened.scope.types.get(value.name, value.type)
    tensor = known.tensor_type
    if not known.HasField("tensor_type") or tensor.elem_type not in FLOATS:
        kind = known.WhichOneof("value")
        got = type_word(tensor.elem_type) if kind == "tensor_type" else kind
        message = f"expected an output of floats (got {got} for {value.name!r}); name the one of the logits"
        raise TypeError(message)
    return value.name, tensor.elem_type, list(declared_type(known).shape or ())


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


def check_logits(opened: OpenModel, output: str, activation: str) -> None:
    """Raise where an activation of logits would be taken of probabilities: a softmax of a softmax is none."""
    head = head_behind(Heads(with_heads_inlined(opened, [output]).scope), output)
    chains = [] if head is None else head.chains
    for chain in chains if activation in _NEEDS_LOGITS else []:
        node = chain.activation
        if (
            node is not None
            and _gives_probabilities(node)
            and not any(n.op_type == "Log" for n in chain.nodes)
        ):
            break
    else:
        return
    message = (
        f"expected logits for the activation {activation} (got {output!r}, which is a {node.op_type} already); "
        "pass activation='none' for its labels and top_k, or take the model back to its logits by strip_head"
    )
    raise ValueError(message)


def _gives_probabilities(node: onnx.NodeProto) -> bool:
    return node.op_type in _PROBABILITIES or is_classical(node)


def check_place(axis: object, rank: int, name: str) -> int:
    """Return the axis of the classes, counted from the front."""
    at = check_integer("axis", axis, -1)
    if not -rank <= at < rank:
        room = f"an axis in [{-rank}, {rank - 1}]" if rank else "an output with axes"
        message = f"expected {room} (got axis {at} of {name!r}); choose the axis of the classes"
        raise ValueError(message)
    return at % rank


def check_several(dims: Dims, axis: int, labels: Labels | None, name: str) -> None:
    """Raise where one class alone lies along the axis: every probability would be 1, and every label the first."""
    if dims[axis] != 1:
        return
    wanted = len(labels) if isinstance(labels, Sized) else None
    # The first axis is the batch, most often: of several it is never meant.
    long = sorted(
        (at for at, size in enumerate(dims) if size != 1 and at > 0), key=lambda at: (dims[at] == wanted, at)
    )
    cure = (
        f"pass axis={long[-1]}, along which {name!r} has {_number(dims[long[-1]])}"
        if long
        else "no axis but the batch has several: one score alone takes activation='sigmoid'"
    )
    message = (
        f"expected more than one class along the axis (got axis {axis} of {name!r}, whose shape is "
        f"{shape_words(tuple(dims))}); {cure}"
    )
    raise ValueError(message)


def _number(size: int | str | None) -> str:
    return f"{size} classes" if isinstance(size, int) else "a number of classes that is not known"


def count_classes(dim: int | str | None, labels: Labels | None, top_k: int | None) -> tuple[int, int | None]:
    """Return how many classes there are, or how many at least, and ``top_k`` checked."""
    many = dim if isinstance(dim, int) else None
    if many is None and labels is not None and not isinstance(labels, str):
        many = len(labels)
    best = None if top_k is None else check_top_k(top_k, many if many is not None else top_k)
    return many if many is not None else (best or 1), best


def one_temperature(temperature: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a temperature that is one number."""
    if np.ndim(temperature):
        message = f"expected the temperature as a number (got {temperature!r}); pass for instance 1.5"
        raise TypeError(message)
    return check_temperature(temperature, 1, dtype)


def free_names(names: Mapping[str, str] | None, documented: list[str], opened: OpenModel) -> dict[str, str]:
    """Return the names of new outputs: those asked for, which have to be free, or ones like those documented."""
    chosen = dict(names or {})
    if unknown := [name for name in chosen if name not in documented]:
        message = (
            f"expected names for the outputs {', '.join(documented)} (got one for {unknown[0]!r}); "
            "leave it out"
        )
        raise ValueError(message)
    for name in chosen.values():
        if not isinstance(name, str) or not name or opened.scope.names.fresh(name) != name:
            message = f"expected names that are free in the model (got {name!r}); choose another"
            raise ValueError(message)
    return {name: chosen.get(name) or opened.scope.names.fresh(name) for name in documented}
