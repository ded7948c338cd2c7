"""
Nodes that our backend does not run, of a domain that is not ONNX's, cut out of a model.

What the runtime makes of them is taken as it is: it becomes an input of what is left, and that is judged as any model
is, on the runtime's own values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper

from softops.opset.graph.files import serialize
from softops.opset.graph.walk import names_read

from ..errors import ModelNotRunError
from ..runtimes.loading import load
from ..runtimes.protocol import Runtime, name_of
from .graph import Arrays, ModelGraph
from .source import Source


class Without(NamedTuple):
    """A model without some of its nodes, what it is fed, the whole's outputs, and a sentence on what is not judged."""

    graph: ModelGraph
    feeds: Arrays
    outputs: Arrays
    unsettled: str


def without(graph: ModelGraph, nodes: Sequence[onnx.NodeProto], runtime: Runtime, feeds: Arrays) -> Without:
    """
    Cut nodes out of a model; their outputs are fed with what the runtime gives for them.

    ModelNotRunError: the runtime does not run the model, or gives out no such values.
    """
    made = [name for node in nodes for name in node.output if name]
    before = [
        name
        for node in nodes
        for name in names_read(node)
        if name in graph.producers
        and graph.is_typed(name)
        and name not in made
        and graph.constant(name) is None
    ]
    asked = onnx.ModelProto()
    asked.CopyFrom(graph.model)
    there = set(graph.outputs)
    # Of what type they are only the runtime knows.
    asked.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in dict.fromkeys(made) if name not in there
    )
    outputs = load(runtime, serialize(asked), graph.source.folder)(feeds)
    values = dict(zip([value.name for value in asked.graph.output], outputs, strict=False))
    if not all(isinstance(values.get(name), np.ndarray) for name in made):
        message = (
            f"expected arrays of {name_of(runtime)} for {', '.join(made)} (got something else); cut it there"
        )
        raise ModelNotRunError(message)
    left = onnx.ModelProto()
    left.CopyFrom(graph.model)
    body = left.graph
    gone = {"/".join(node.output) for node in nodes}
    kept = [node for node in body.node if "/".join(node.output) not in gone]
    ends = [value for value in body.output if value.name not in made]
    del body.node[:], body.output[:], body.value_info[:]
    body.node.extend(kept)
    held = {value.name for value in ends}
    ends += [graph.value_info(name) for name in dict.fromkeys(before) if name not in held]
    body.output.extend(ends)
    read = {name for node in kept for name in names_read(node)}
    fed = {name: values[name] for name in dict.fromkeys(made) if name in read}
    body.input.extend(
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
        for name, array in fed.items()
    )
    counted = Counter(f"{node.domain or 'ai.onnx'}.{node.op_type}" for node in nodes)
    listed = ", ".join(f"{name} ({count} times)" if count > 1 else name for name, count in counted.items())
    reason = f"{listed} is not judged: nothing here computes it; the rest is, on what {name_of(runtime)} makes of it"
    source = Source(left, graph.source.folder, graph.source.notes)
    whole = {name: np.asarray(values[name]) for name in graph.compared if name in values}
    return Without(ModelGraph(source), {**feeds, **fed}, whole, reason)
