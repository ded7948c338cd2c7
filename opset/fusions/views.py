"""
Nodes in front of an attention that only lay its heads out another way, or repeat them.

What shapes they are given only a run knows: a `View` names the arrays that say so, and `heads_of` follows where each
axis of the source goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray
from onnx import NodeProto

from ..graph.scopes import Scope
from .reading import attribute, axes_of, made_by

Array = NDArray[Any]

Move = tuple[str, tuple[int, ...]]
"""An operator, and the axes or the order that it names itself."""

_MOVES = ("Reshape", "Transpose", "Unsqueeze", "Expand", "Tile", "Identity")
_SHAPED = ("Reshape", "Expand", "Tile")
_HEADS, _REPEATS = 1, 4
"""Names of the axes of heads of the source, whose axes are 0 to 3, and of the one that repeats them."""


@dataclass(frozen=True)
class View:
    """
    Where keys or values come from.

    Attributes
    ----------
    source
        The value behind the nodes; without any it is taken as it is.
    shapes
        Values that say to which shape those of `moves` go that are told by an input.
    moves
        What the nodes do.
    nodes
        The nodes, in order.
    """

    source: str
    shapes: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    nodes: tuple[NodeProto, ...] = ()


def view_of(name: str, scope: Scope) -> View:
    """The nodes that repeat the heads behind a value, or turn its last axes by way of one axis of all heads."""
    chain: list[NodeProto] = []
    end = name
    while (node := made_by(end, scope, *_MOVES)) is not None and _is_private(end, scope):
        chain.insert(0, node)
        end = node.input[0]
    for place in range(len(chain) - 1):
        if chain[place].op_type == "Unsqueeze" and chain[place + 1].op_type in ("Expand", "Tile"):
            return _view(chain[place:], scope) or View(name)
    last = chain[-3:]
    if [node.op_type for node in last] == ["Reshape", "Transpose", "Reshape"]:
        turning = _view(last, scope)
        if turning is not None and scope.rank(turning.source) in (4, None):
            return turning
    return View(name)


def _is_private(name: str, scope: Scope) -> bool:
    return name not in scope.outputs and len(scope.consumers.get(name, ())) == 1


def _view(nodes: list[NodeProto], scope: Scope) -> View | None:
    moves: list[Move] = []
    shapes: list[str] = []
    for node in nodes:
        axes: tuple[int, ...] | None = ()
        if node.op_type in _SHAPED:
            if len(node.input) != 2:
                return None
            shapes.append(node.input[1])
        elif node.op_type == "Unsqueeze":
            axes = axes_of(node, scope)
        elif node.op_type == "Transpose":
            axes = tuple(attribute(node, "perm", None) or ())
        if axes is None or (node.op_type == "Transpose" and not axes):
            return None
        moves.append((node.op_type, axes))
    return View(nodes[0].input[0], tuple(shapes), tuple(moves), tuple(nodes))


def heads_of(view: View, source: Array, shapes: Sequence[Array], *, turned: bool) -> tuple[Array, int] | None:
    """
    (batch, heads, T, D) without a copy, and how many heads the nodes make of these; None for any other layout.

    With ``turned`` the nodes give (batch, heads, D, T).
    """
    if not view.moves:
        x = source.swapaxes(-1, -2) if turned else source
        return x, x.shape[-3] if x.ndim > 2 else 1
    if source.ndim != 4:
        return None
    targets = tuple(tuple(shape.ravel().tolist()) for shape in shapes)
    heads = _heads(view.moves, source.shape, targets, turned)
    return None if heads is None else (source, heads)


@lru_cache(maxsize=256)
def _heads(
    moves: tuple[Move, ...], shape: tuple[int, ...], targets: tuple[tuple[int, ...], ...], turned: bool
) -> int | None:
    """How many heads the moves make of the source's, each repeated next to itself; None where they do anything else."""
    # An axis is a list of (which axis of the source, its length), those of length 1 left out.
    axes = [[(place, length)] if length != 1 else [] for place, length in enumerate(shape)]
    left = list(targets)
    if 0 in shape:
        return None
    for op_type, order in moves:
        moved = _moved(op_type, order, axes, left.pop(0) if op_type in _SHAPED else ())
        if moved is None:
            return None
        axes = moved
    repeats = [length for axis in axes for place, length in axis if place == _REPEATS]
    times = repeats[0] if repeats else 1
    source = [[(place, length)] if length != 1 else [] for place, length in enumerate(shape)]
    if times != 1:
        source[_HEADS].append((_REPEATS, times))
    if turned:
        source[2:] = source[:1:-1]
    return shape[_HEADS] * times if axes == source else None


_Axes = list[list[tuple[int, int]]]


def _moved(op_type: str, order: tuple[int, ...], axes: _Axes, target: tuple[int, ...]) -> _Axes | None:
    rank = len(axes)
    if op_type == "Transpose":
        return [axes[place] for place in order] if sorted(order) == list(range(rank)) else None
    if op_type == "Unsqueeze":
        places = {axis % (rank + len(order)) for axis in order}
        given = iter(axes)
        return [[] if place in places else next(given) for place in range(rank + len(order))]
    if op_type == "Reshape":
        return _reshaped(axes, target)
    return axes if op_type == "Identity" else _repeated(op_type, axes, target)


def _repeated(op_type: str, axes: _Axes, target: tuple[int, ...]) -> _Axes | None:
    """The axes by an Expand or Tile that repeats one of length 1."""
    if len(target) != len(axes):
        return None
    lengths = [math.prod(length for _, length in axis) for axis in axes]
    spread: _Axes = []
    for axis, length, wanted in zip(axes, lengths, target, strict=True):
        if wanted == 1 or (op_type == "Expand" and wanted == length):
            spread.append(axis)
        elif length == 1 and wanted > 1:
            spread.append([(_REPEATS, wanted)])
        else:
            return None
    return spread


def _reshaped(axes: _Axes, target: tuple[int, ...]) -> _Axes | None:
    """The axes merged and split at their seams; None where one is cut in pieces."""
    lengths = [math.prod(length for _, length in axis) for axis in axes]
    if any(wanted == 0 and place >= len(lengths) for place, wanted in enumerate(target)):
        return None
    wanted = [length or lengths[place] for place, length in enumerate(target)]
    if -1 in wanted:
        wanted[wanted.index(-1)] = math.prod(lengths) // -math.prod(wanted)
    pieces = [piece for axis in axes for piece in axis]
    found: _Axes = []
    for length in wanted:
        axis: list[tuple[int, int]] = []
        while math.prod(piece for _, piece in axis) < length and pieces:
            axis.append(pieces.pop(0))
        if math.prod(piece for _, piece in axis) != length:
            return None
        found.append(axis)
    return None if pieces else found
