"""If, Loop and Scan: their graphs in lockstep, all samples by the exact values' conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnx

from ..errors import UnsupportedModelError
from ..nodes.node import Node, described
from .value import Noisy

Subgraph = Callable[[onnx.GraphProto, Sequence[Noisy]], list[Noisy]]
"""Runs a graph of the node on the values of its inputs."""

_SCAN_WITHOUT_BATCH = 9


def if_(node: Node, inputs: Sequence[Noisy], run: Subgraph) -> list[Noisy]:
    """The branch that the condition names."""
    condition = inputs[0]
    made = run(node.graph("then_branch" if bool(condition.exact.item()) else "else_branch"), [])
    return _behind(node, condition, made)


def loop(node: Node, inputs: Sequence[Noisy], run: Subgraph) -> list[Noisy]:
    """As many rounds as the exact values ask for."""
    limit, condition, *state = inputs
    body = node.graph("body")
    rounds = np.inf if limit.exact is None else limit.exact.item()
    goes_on = condition.exact is None or bool(condition.exact.item())
    slices: list[list[Noisy]] = []
    ends: list[Noisy] = []
    while goes_on and len(slices) < rounds:
        going, *outputs = run(body, [Noisy(np.array(len(slices), np.int64)), Noisy(np.array(True)), *state])
        goes_on = bool(going.exact.item())
        ends.append(going)
        slices.append(outputs[len(state) :])
        state = outputs[: len(state)]
    outputs = [*state, *(stacked(column, 0) for column in zip(*slices, strict=True))]
    for end in ends:
        outputs = _behind(node, end, outputs)
    return outputs


def scan(node: Node, inputs: Sequence[Noisy], run: Subgraph) -> list[Noisy]:
    """Once for each slice."""
    if node.version < _SCAN_WITHOUT_BATCH:
        message = f"expected a Scan of opset 9 or newer in {node.label} (got opset {node.version}); convert the model"
        raise UnsupportedModelError(message)
    body, scanned = node.graph("body"), node.attributes["num_scan_inputs"]
    states = len(inputs) - scanned
    outputs = len(body.output) - states
    in_axes, in_back, out_axes, out_back = (
        node.attributes.get(name) or [0] * count
        for name, count in (
            ("scan_input_axes", scanned),
            ("scan_input_directions", scanned),
            ("scan_output_axes", outputs),
            ("scan_output_directions", outputs),
        )
    )
    state, sources = list(inputs[:states]), inputs[states:]
    lengths = [np.shape(x.exact)[axis] for x, axis in zip(sources, in_axes, strict=True)]
    slices: list[list[Noisy]] = []
    for number in range(lengths[0] if lengths else 0):
        now = [
            _taken(x, -1 - number if back else number, axis)
            for x, axis, back in zip(sources, in_axes, in_back, strict=True)
        ]
        made = run(body, [*state, *now])
        state, rest = made[:states], made[states:]
        slices.append(rest)
    columns = zip(*slices, strict=True)
    wholes = zip(columns, out_axes, out_back, strict=True)
    return [*state, *(stacked(column[::-1] if back else column, axis) for column, axis, back in wholes)]


def stacked(values: Sequence[Noisy], axis: int) -> Noisy:
    """Values along a new axis."""
    exact = np.stack([value.exact for value in values], axis)
    count = max(len(value.copies or ()) for value in values)
    copies = [np.stack([value.copy(k) for value in values], axis) for k in range(count)] or None
    hangs_on = frozenset[str]().union(*(value.hangs_on for value in values))
    return Noisy(exact, copies, values[0].dtype, hangs_on=hangs_on)


def _taken(value: Noisy, place: int, axis: int) -> Noisy:
    """One slice."""
    copies = None if value.copies is None else [np.take(copy, place, axis) for copy in value.copies]
    return replace(value, exact=np.take(value.exact, place, axis), copies=copies, undecided=None)


def _behind(node: Node, condition: Noisy, made: list[Noisy]) -> list[Noisy]:
    """The outputs, which hang on a condition where that hangs on rounding."""
    unlike = condition.copies is not None and any(copy != condition.exact for copy in condition.copies)
    asked = condition.hangs_on | ({f"the condition of {described(node.proto)}"} if unlike else set())
    return [replace(value, hangs_on=value.hangs_on | asked) for value in made]


CONTROL = {"If": if_, "Loop": loop, "Scan": scan}
