"""What policies, losses and language models ask of rows: masks, picked elements, a temperature; at every opset."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import TEMPERATURE_KEY, check_temperature
from .graph import Graph
from .steps import reduce, squeeze, unsqueeze


def masked(graph: Graph, x: str, mask: str, fill: float, *, name: str) -> str:
    """
    Keep ``x`` where ``mask``, of its shape, is true, and put ``fill`` elsewhere.

    Before opset 9, which brought Where, as the smaller of ``x`` and +inf or ``fill``: ``fill`` must not exceed
    any number of ``x``, and a NaN that is masked may stay.
    """
    if graph.opset >= 9:
        return graph.node("Where", mask, x, graph.number(f"{name}_fill", fill), name=name)
    bounds = graph.number(f"{name}_bounds", [fill, np.inf])
    bound = graph.node("Gather", bounds, graph.cast(mask, np.int64), name=f"{name}_bound", axis=0)
    return graph.node("Min", x, bound, name=name)


def lowest(graph: Graph) -> float:
    """Return what to put where nothing may be chosen: −inf, or what `masked` can do without making NaN of it."""
    return -np.inf if graph.opset >= 9 else float(np.finfo(graph.compute).min)


def one_hot(graph: Graph, index: str, classes: int, *, name: str = "one_hot") -> str:
    """Add a mask (N, C), true at ``index`` (N,) of each row; an index out of range is true nowhere."""
    column = unsqueeze(graph, index, [1], name=f"{name}_index")
    every = graph.shared("class_range", np.arange(classes, dtype=np.int64))
    return graph.node("Equal", column, every, name=name)


def pick(graph: Graph, x: str, index: str, classes: int, *, name: str = "picked") -> str:
    """
    Add ``x[i, index[i]]`` (N,) of ``x`` (N, C).

    An index out of range is refused by onnxruntime from opset 11 on, which brought GatherElements; before,
    it gives −inf.
    """
    if graph.opset >= 11:
        column = unsqueeze(graph, index, [1], name=f"{name}_index")
        found = graph.node("GatherElements", x, column, name=f"{name}_column", axis=1)
        return squeeze(graph, found, [1], name=name)
    here = one_hot(graph, index, classes, name=f"{name}_one_hot")
    if graph.opset < 9:
        alone = masked(graph, x, here, -np.inf, name=f"{name}_alone")
        return reduce(graph, "ReduceMax", alone, [1], keepdims=False, name=name)
    # A sum, because onnxruntime's maximum loses a NaN; the logarithm is 0, or −inf where nothing was picked.
    alone = masked(graph, x, here, 0, name=f"{name}_alone")
    total = reduce(graph, "ReduceSum", alone, [1], keepdims=False, name=f"{name}_sum")
    count = reduce(
        graph, "ReduceSum", graph.cast(here, graph.compute), [1], keepdims=False, name=f"{name}_count"
    )
    return graph.node("Add", total, graph.node("Log", count, name=f"{name}_found"), name=name)


def add_temperature(graph: Graph, temperature: float | str) -> tuple[str, dict[str, str]]:
    """Return a temperature, a number or ``"input"``, as a tensor, and what the metadata says about it."""
    if isinstance(temperature, str):
        if temperature != "input":
            message = (
                f"expected a temperature as a number or 'input' (got {temperature!r}); pass one of these"
            )
            raise ValueError(message)
        return graph.input("temperature", [1]), {}
    number = check_temperature(temperature, 1, graph.compute).reshape(())
    return graph.number("temperature", number), {TEMPERATURE_KEY: as_json(number)}


def as_json(number: NDArray[Any]) -> str:
    """Return the shortest number that is the same in its dtype: 0.1, not 0.10000000149011612."""
    return json.dumps(float(str(number)))
