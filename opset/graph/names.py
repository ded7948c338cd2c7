"""The names of a model, and new ones that do not clash with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from .walk import Body, bodies


class Names:
    """
    Names that are taken, to which new ones are added.

    Parameters
    ----------
    taken
        The names that there are already, such as `names_of` a model.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def fresh(self, name: str) -> str:
        """Return ``name``, or the first of ``name_1``, ``name_2``, … that is free, and take it."""
        free, count = name, 0
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free


def names_of(model: onnx.ModelProto) -> Iterator[str]:
    """Every name of a node or a value in a model, in its subgraphs and functions too."""
    for body in bodies(model):
        yield from names_in(body)


def names_in(body: Body) -> Iterator[str]:
    """The names of the nodes and values of a graph or a function; not those of the graphs inside it."""
    for value in (*body.input, *body.output, *body.value_info):
        yield value.name if isinstance(value, onnx.ValueInfoProto) else value
    if isinstance(body, onnx.GraphProto):
        yield from (tensor.name for tensor in body.initializer)
        yield from (tensor.values.name for tensor in body.sparse_initializer)
    for node in body.node:
        yield from (node.name, *node.input, *node.output)
