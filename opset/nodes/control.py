"""If, Loop and Scan over plans of their subgraphs. What a subgraph takes from around it comes after the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import ModelError
from .plan import Plan, Value, Work

Array = NDArray[Any]

SCAN_WITHOUT_BATCH = 9
"""From this version on a Scan has no batch axis, and no lengths in front of its inputs."""


def check_body(body: onnx.GraphProto, inputs: int, scanned: int | None, version: int, label: str) -> None:
    """
    Refuse a body that takes or gives another number of values than its Loop or Scan.

    Parameters
    ----------
    body
        The graph.
    inputs, scanned
        Of the node; ``scanned`` is None for a Loop.
    version
        Version of ai.onnx.
    label
        The node in words.
    """
    taken = inputs - 1 if scanned is not None and version < SCAN_WITHOUT_BATCH else inputs
    least = taken - 1 if scanned is None else taken - scanned
    if least < 0 and scanned is not None:
        message = (
            f"expected at most {taken} scanned inputs in {label} (got {scanned}); export the model again"
        )
        raise ModelError(message)
    if len(body.input) != taken or len(body.output) < least:
        message = (
            f"expected a body of {taken} inputs and at least {least} outputs in {label}, which has {inputs} inputs "
            f"(got {len(body.input)} and {len(body.output)}); export the model again"
        )
        raise ModelError(message)


def if_work(then_plan: Plan, else_plan: Plan, then_captures: int) -> Work:
    """The condition decides; each branch takes its own values from around it."""

    def run(condition: Array, *captured: Value) -> Sequence[Value]:
        if bool(condition.item()):
            return then_plan.run(captured[:then_captures])
        return else_plan.run(captured[then_captures:])

    return Work(run=run, many=True)


def loop_work(plan: Plan, body: onnx.GraphProto, inputs: int) -> Work:
    """
    At most M rounds, while the condition holds.

    The body takes (round, condition, carried...) and gives (condition, carried..., one slice of each scan).
    """
    carried = len(body.input) - 2
    scans = range(len(body.output) - 1 - carried)

    def run(limit: Array | None, condition: Array | None, *values: Value) -> Sequence[Value]:
        state, captured = list(values[: inputs - 2]), values[inputs - 2 :]
        slices: list[list[Array]] = [[] for _ in scans]
        rounds = np.inf if limit is None else limit.item()
        goes_on = condition is None or bool(condition.item())
        number = 0
        while goes_on and number < rounds:
            outputs = plan.run((np.array(number, np.int64), np.array(True), *state, *captured))
            goes_on = bool(outputs[0].item())
            state = outputs[1 : 1 + carried]
            for own, value in zip(slices, outputs[1 + carried :], strict=True):
                own.append(value)
            number += 1
        return *state, *(
            np.stack(own) if own else _nothing(body.output[1 + carried + k]) for k, own in enumerate(slices)
        )

    return Work(run=run, many=True)


def _nothing(output: onnx.ValueInfoProto) -> Array:
    """A scan of no rounds: as many dimensions as the body declares, unknown ones of length 0."""
    tensor = output.type.tensor_type
    shape = [dim.dim_value for dim in tensor.shape.dim]
    return np.zeros((0, *shape), onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type or 1))


def scan_work(plan: Plan, body: onnx.GraphProto, attributes: Any, inputs: int) -> Work:
    """
    The body once for each slice of the scanned inputs.

    It takes (state..., one slice of each scanned input) and gives (state..., one slice of each scanned output).
    Axes and directions are attributes since version 9.
    """
    scanned = attributes["num_scan_inputs"]
    states = inputs - scanned
    outputs = len(body.output) - states
    in_axes = attributes.get("scan_input_axes") or [0] * scanned
    in_back = attributes.get("scan_input_directions") or [0] * scanned
    out_axes = attributes.get("scan_output_axes") or [0] * outputs
    out_back = attributes.get("scan_output_directions") or [0] * outputs

    def run(*values: Value) -> Sequence[Value]:
        state, captured = list(values[:states]), values[inputs:]
        sources = [
            _turned(np.moveaxis(x, axis, 0), back)
            for x, axis, back in zip(values[states:inputs], in_axes, in_back, strict=True)
        ]
        lengths = {len(source) for source in sources}
        if len(lengths) > 1:
            message = f"the scanned inputs must have one length, not {sorted(lengths)}"
            raise ValueError(message)
        slices: list[list[Array]] = [[] for _ in range(outputs)]
        for number in range(lengths.pop() if lengths else 0):
            results = plan.run((*state, *(source[number, ...] for source in sources), *captured))
            state = results[:states]
            for own, value in zip(slices, results[states:], strict=True):
                own.append(value)
        gathered = []
        for k, own in enumerate(slices):
            whole = np.stack(own) if own else _nothing(body.output[states + k])
            gathered.append(np.moveaxis(_turned(whole, out_back[k]), 0, out_axes[k]))
        return *state, *gathered

    return Work(run=run, many=True)


def _turned(x: Array, back: int) -> Array:
    return x[::-1] if back else x


def batched_scan_work(plan: Plan, body: onnx.GraphProto, attributes: Any, inputs: int) -> Work:
    """
    Scan at version 8: everything has a batch axis in front, and the first input may give lengths for each row.

    What lies beyond a row's length in the scanned outputs is 0.
    """
    directions = attributes.get("directions")
    single = scan_work(
        plan, body, {**attributes, "scan_input_directions": directions, "directions": None}, inputs - 1
    )
    states = inputs - 1 - attributes["num_scan_inputs"]

    def run(lengths: Array | None, *values: Value) -> Sequence[Value]:
        own, captured = values[: inputs - 1], values[inputs - 1 :]
        steps = own[states].shape[1]
        rows = []
        for row in range(len(own[0])):
            length = steps if lengths is None else int(lengths[row])
            state = [value[row] for value in own[:states]]
            results = list(single.run(*state, *(value[row][:length] for value in own[states:]), *captured))
            for k in range(states, len(results)):
                padding = [(0, steps - length)] + [(0, 0)] * (results[k].ndim - 1)
                results[k] = np.pad(results[k], padding)
            rows.append(results)
        return [np.stack(column) for column in zip(*rows, strict=True)]

    return Work(run=run, many=True)
