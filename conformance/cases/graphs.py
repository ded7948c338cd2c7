"""
The graphs around a node: the same operator as runtimes meet it, and rewrite it.

None of them changes a value, so that all are held to the oracle of the node alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from softops.opset.graph.domains import ir_version_for

from ..errors import check_choice

Array = NDArray[Any]

_IR_MIN = 8  # model-local functions
_IR_MAX = 13
_ONNX_OF_OTHERS = 17
"""Version of ai.onnx in the models of other domains."""

_FUNCTIONS = "softops.case"


class Graph(NamedTuple):
    """Nodes, their initializers and functions, and what is fed in place of the first input."""

    nodes: list[onnx.NodeProto]
    feed: Array
    functions: list[onnx.FunctionProto]
    initializers: list[onnx.TensorProto]


def model_of(
    form: str,
    node: onnx.NodeProto,
    feeds: dict[str, Array],
    outputs: dict[str, Array],
    opset: int,
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """
    Return the model of a node in a form, one of `FORMS`, and the feeds for it.

    The first of ``feeds`` is what the form is about; of ``outputs`` only dtypes and ranks are used; ``opset`` is the
    version of the node's domain.
    """
    check_choice("a form", form, FORMS)
    opsets: dict[str, int] = (
        {node.domain: opset} if not node.domain else {"": _ONNX_OF_OTHERS, node.domain: opset}
    )
    first = next(iter(feeds))
    graph = FORMS[form](node, feeds[first], outputs, opsets)
    given = feeds | {first: graph.feed}
    if graph.functions:
        opsets[_FUNCTIONS] = 1
    opset_imports = [helper.make_opsetid(*entry) for entry in opsets.items()]
    known = [helper.make_opsetid("", opsets[""])]
    ir = ir_version_for(known)
    named = form == "dynamic"
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "case",
            [_value(name, array, f"{name}_" if named else None) for name, array in given.items()],
            [_value(name, array, f"{name}_" if named else None) for name, array in outputs.items()],
            initializer=graph.initializers,
        ),
        opset_imports=opset_imports,
        functions=graph.functions,
        ir_version=min(max(ir, _IR_MIN), _IR_MAX),
        producer_name="softops",
    )
    return model, given


def _value(name: str, array: Array, dims: str | None) -> onnx.ValueInfoProto:
    shape: list[int | str] = [
        f"{dims}{axis}" if dims is not None else length for axis, length in enumerate(array.shape)
    ]
    kind = (
        onnx.TensorProto.STRING if array.dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(array.dtype)
    )
    return helper.make_tensor_value_info(name, kind, shape)


def _plain(node: onnx.NodeProto, x: Array, outputs: dict[str, Array], opsets: dict[str, int]) -> Graph:
    return Graph([node], x, [], [])


def _transposed(node: onnx.NodeProto, x: Array, outputs: dict[str, Array], opsets: dict[str, int]) -> Graph:
    inner = _copy(node)
    name = node.input[0]
    inner.input[0] = f"{name}_turned"
    turn = helper.make_node("Transpose", [name], [inner.input[0]], perm=list(range(x.ndim))[::-1])
    return Graph([turn, inner], np.ascontiguousarray(x.transpose()), [], [])


def _chained(node: onnx.NodeProto, x: Array, outputs: dict[str, Array], opsets: dict[str, int]) -> Graph:
    inner = _copy(node)
    name = node.input[0]
    order = list(range(x.ndim))[::-1]
    before = [
        helper.make_node("Transpose", [name], [f"{name}_turned"], perm=order),
        helper.make_node("Transpose", [f"{name}_turned"], [f"{name}_back"], perm=order),
    ]
    inner.input[0] = f"{name}_back"
    after = []
    for place, output in enumerate(node.output):
        if output:
            inner.output[place] = f"{output}_inner"
            after.append(helper.make_node("Identity", [f"{output}_inner"], [output]))
    return Graph([*before, inner, *after], x, [], [])


def _subgraph(node: onnx.NodeProto, x: Array, outputs: dict[str, Array], opsets: dict[str, int]) -> Graph:
    branches = {}
    for name in ("then", "else"):
        inner = _copy(node)
        values = []
        for place, output in enumerate(node.output):
            if output:
                inner.output[place] = f"{output}_{name}"
                values.append(_value(f"{output}_{name}", outputs[output], None))
        branches[f"{name}_branch"] = helper.make_graph([inner], name, [], values)
    condition = helper.make_tensor("condition", onnx.TensorProto.BOOL, [], [True])
    choose = helper.make_node("If", ["condition"], [name for name in node.output if name], **branches)
    return Graph([choose], x, [], [condition])


def _function(node: onnx.NodeProto, x: Array, outputs: dict[str, Array], opsets: dict[str, int]) -> Graph:
    names = [name for name in node.input if name]
    results = [name for name in node.output if name]
    imports = [helper.make_opsetid(*entry) for entry in opsets.items()]
    body = helper.make_function(_FUNCTIONS, "Wrapped", names, results, [_copy(node)], imports)
    return Graph([helper.make_node("Wrapped", names, results, domain=_FUNCTIONS)], x, [body], [])


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


FORMS: dict[str, Callable[[onnx.NodeProto, Array, dict[str, Array], dict[str, int]], Graph]] = {
    "plain": _plain,
    "dynamic": _plain,
    "transposed": _transposed,
    "chained": _chained,
    "subgraph": _subgraph,
    "function": _function,
}
"""
Every form by name: the node alone; with no length known beforehand; behind a Transpose; between two
Transposes that undo each other and an Identity; in a branch of an If; inside a function of the model.
"""
