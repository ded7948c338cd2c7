"""If, Loop and Scan over their planned subgraphs. What a subgraph takes from around it comes after the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx

from ..errors import ModelError
from ..graph.types import dtype_of
from ..graph.walk import bodies_in, names_read
from .arrays import Array
from .node import Function, Node, Operation, Value

_SCAN_WITHOUT_BATCH = 9
"""From this version on a Scan has no batch axis, and no lengths in front of its inputs."""


def if_(node: Node) -> Operation:
    """The condition decides; each branch takes its own values from around it."""
    graphs = [node.graph(name) for name in ("then_branch", "else_branch")]
    then, other = [node.planning.subgraph(graph) for graph in graphs]

    def run(condition: Array, *captured: Value) -> list[Value]:
        if bool(condition.item()):
            return then.run(captured[: then.captures])
        return other.run(captured[then.captures :])

    return Operation(run, many=True)


def loop(node: Node) -> Operation:
    """
    At most M rounds, while the condition holds.

    The body takes (round, condition, carried...) and gives (condition, carried..., one slice of each scan). One that
    no limit ends, and whose rounds do not change anything any more, is refused: it would never end.
    """
    body, inputs = node.graph("body"), len(node.proto.input)
    _check_body(node, body, inputs, inputs - 1)
    once = node.planning.subgraph(body).run
    carried = inputs - 2
    depends_on_state_alone = body.input[0].name not in _names_in(body) and not _draws(body)

    def run(limit: Array | None, condition: Array | None, *values: Value) -> Sequence[Value]:
        state, captured = values[:carried], values[carried:]
        slices: list[Sequence[Array]] = []
        rounds = np.inf if limit is None else limit.item()
        goes_on = condition is None or bool(condition.item())
        while goes_on and len(slices) < rounds:
            number, yes = np.array(len(slices), np.int64), np.array(True)
            going, *outputs = once((number, yes, *state, *captured))
            goes_on = bool(going.item())
            before, state = state, tuple(outputs[:carried])
            slices.append(outputs[carried:])
            # looked at after 1, 2, 4, 8 … rounds, since the state may be large
            is_looked_at = limit is None and depends_on_state_alone and len(slices).bit_count() == 1
            if goes_on and is_looked_at and _same(before, state):
                message = (
                    f"expected {node.label} to end (got a round, number {len(slices)}, that changes nothing, and a "
                    "condition that still holds); give it a number of rounds, or another condition"
                )
                raise ModelError(message)
        return *state, *_stacked(slices, body.output[1 + carried :])

    return Operation(run, many=True)


_DRAWS = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
    "Dropout",
}


def _names_in(graph: onnx.GraphProto) -> set[str]:
    """What its nodes and outputs read."""
    read = {name for inner in graph.node for name in names_read(inner)}
    return read | {value.name for value in graph.output}


def _draws(graph: onnx.GraphProto) -> bool:
    """Whether a round may differ from another with the same values: of what is called nothing is known."""
    nodes = [inner for each in bodies_in(graph) for inner in each.node]
    return any(inner.op_type in _DRAWS or inner.domain not in ("", "ai.onnx") for inner in nodes)


def _same(before: Sequence[Value], after: Sequence[Value]) -> bool:
    """Whether all values are arrays with the same bits."""
    return all(
        isinstance(a, np.ndarray)
        and isinstance(b, np.ndarray)
        and (a.dtype, a.shape) == (b.dtype, b.shape)
        and a.dtype != object
        and a.tobytes() == b.tobytes()
        for a, b in zip(before, after, strict=True)
    )


def scan(node: Node) -> Operation:
    """
    The body once for each slice of the scanned inputs.

    It takes (state..., one slice of each scanned input) and gives (state..., one slice of each scanned output).
    Axes and directions are attributes since version 9. At version 8 everything has a batch axis in front, and the
    first input may give lengths for each row; what lies beyond a row's length in the scanned outputs is 0.
    """
    body, scanned = node.graph("body"), node.attributes["num_scan_inputs"]
    has_batch = node.version < _SCAN_WITHOUT_BATCH
    inputs = len(node.proto.input) - has_batch
    states = inputs - scanned
    if states < 0:
        message = f"expected at most {inputs} scanned inputs in {node.label} (got {scanned}); export the model again"
        raise ModelError(message)
    _check_body(node, body, inputs, states)
    once = node.planning.subgraph(body).run
    outputs = body.output[states:]
    in_axes = node.attributes.get("scan_input_axes") or [0] * scanned
    in_back = node.attributes.get("directions" if has_batch else "scan_input_directions") or [0] * scanned
    out_axes = node.attributes.get("scan_output_axes") or [0] * len(outputs)
    out_back = node.attributes.get("scan_output_directions") or [0] * len(outputs)

    def run(*values: Value) -> Sequence[Value]:
        state, captured = values[:states], values[inputs:]
        sources = [
            _turned(np.moveaxis(x, axis, 0), back)
            for x, axis, back in zip(values[states:inputs], in_axes, in_back, strict=True)
        ]
        lengths = {len(source) for source in sources}
        if len(lengths) > 1:
            message = f"the scanned inputs must have one length, not {sorted(lengths)}"
            raise ValueError(message)
        slices: list[Sequence[Array]] = []
        for number in range(lengths.pop() if lengths else 0):
            results = once((*state, *(source[number, ...] for source in sources), *captured))
            state = tuple(results[:states])
            slices.append(results[states:])
        wholes = zip(_stacked(slices, outputs), out_axes, out_back, strict=False)
        return *state, *(np.moveaxis(_turned(whole, back), 0, axis) for whole, axis, back in wholes)

    return Operation(_over_batch(run, states, inputs) if has_batch else run, many=True)


def _over_batch(run: Function, states: int, inputs: int) -> Function:
    """A Scan of version 8 by one of version 9."""

    def batched(lengths: Array | None, *values: Value) -> Sequence[Value]:
        own, captured = values[:inputs], values[inputs:]
        steps = own[states].shape[1]
        rows = []
        for row in range(len(own[0])):
            length = steps if lengths is None else int(lengths[row])
            state = [value[row] for value in own[:states]]
            results = list(run(*state, *(value[row][:length] for value in own[states:]), *captured))
            for k in range(states, len(results)):
                results[k] = np.pad(results[k], [(0, steps - length)] + [(0, 0)] * (results[k].ndim - 1))
            rows.append(results)
        return [np.stack(column) for column in zip(*rows, strict=True)]

    return batched


def _check_body(node: Node, body: onnx.GraphProto, inputs: int, outputs: int) -> None:
    """Refuse a body that takes or gives another number of values than its Loop or Scan."""
    if len(body.input) != inputs or len(body.output) < outputs:
        message = (
            f"expected a body of {inputs} inputs and at least {outputs} outputs in {node.label}, which has "
            f"{len(node.proto.input)} inputs (got {len(body.input)} and {len(body.output)}); export the model again"
        )
        raise ModelError(message)


def _stacked(slices: Sequence[Sequence[Array]], outputs: Iterable[onnx.ValueInfoProto]) -> list[Array]:
    """Each scanned output; without a round of as many dimensions as the body declares, unknown ones of length 0."""
    if slices:
        return [np.stack(values) for values in zip(*slices, strict=True)]
    nothings = []
    for output in outputs:
        tensor = output.type.tensor_type
        dtype = dtype_of(tensor.elem_type or 1, f"{output.name!r}")
        nothings.append(np.zeros((0, *(dim.dim_value for dim in tensor.shape.dim)), dtype))
    return nothings


def _turned(x: Array, back: int) -> Array:
    return x[::-1] if back else x
