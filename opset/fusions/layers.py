"""Layers of networks that exporters spell out: Gelu, LayerNormalization, RMSNormalization."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..expressions.patterns import Match, Pattern, find
from ..expressions.reductions import normal_axes
from ..graph.scopes import Scope
from .fusion import Finding, fused
from .kernels import kernels
from .reading import constant_shape, made_by, number
from .scores import is_cast_to_float32

Array = NDArray[Any]

_DTYPES = frozenset((np.dtype(np.float32), np.dtype(np.float64)))


def _rounded(value: float) -> tuple[float, ...]:
    """A constant as models have it: as a float64, as a float32, and written with few digits."""
    return tuple({value, float(np.float32(value)), *_short(value, 4), *_short(value, 10)})


def _short(value: float, digits: int) -> tuple[float, float]:
    text = round(value, digits)
    return text, float(np.float32(text))


def _half_of(x: Pattern, one_plus: Pattern) -> Iterator[Pattern]:
    """0.5 x (1 + …) in any order."""
    yield ("Mul", ("Mul", x, one_plus), 0.5)
    yield ("Mul", ("Mul", x, 0.5), one_plus)
    yield ("Mul", x, ("Mul", one_plus, 0.5))


def _gelus() -> Iterator[tuple[str, Pattern]]:
    root = 2**0.5
    arguments = [("Div", "x", c) for c in _rounded(root)] + [("Mul", "x", c) for c in _rounded(1 / root)]
    for argument in arguments:
        for form in _half_of("x", ("Add", ("Erf", argument), 1.0)):
            yield "none", form
    cubes: list[Pattern] = [
        ("Pow", "x", 3.0),
        ("Mul", "x", ("Mul", "x", "x")),
        ("Mul", "x", ("Pow", "x", 2.0)),
    ]
    for cube, factor in product(cubes, _rounded((2 / np.pi) ** 0.5)):
        for small in (0.044715, float(np.float32(0.044715))):
            inner: Pattern = ("Mul", ("Add", "x", ("Mul", cube, small)), factor)
            for form in _half_of("x", ("Add", ("Tanh", inner), 1.0)):
                yield "tanh", form


_GELUS = tuple(_gelus())


def find_gelu(root: NodeProto, scope: Scope) -> Finding:
    """A Gelu, by Erf or by Tanh."""
    if root.op_type != "Mul":
        return None
    match, form = _first(_GELUS, root, scope)
    if match is None:
        return None

    def run(x: Array) -> Array | None:
        return kernels().gelu(x, form) if x.dtype in _DTYPES and x.ndim else None

    return fused("gelu", match.nodes.values(), (match.values["x"],), run, scope)


def _first(
    patterns: tuple[tuple[str, Pattern], ...], root: NodeProto, scope: Scope
) -> tuple[Match | None, str]:
    """The first of some patterns that a node is the last step of, and its name."""
    for form, pattern in patterns:
        match = find(pattern, root, scope, closed=False)
        if match is not None:
            return match, form
    return None, ""


def _normalizations() -> Iterator[tuple[str, Pattern]]:
    centred: Pattern = ("Sub", "x", ("ReduceMean", "x"))
    for form, numbers in (("layer_norm", centred), ("rms_norm", "x")):
        squares: tuple[Pattern, ...] = (("Pow", numbers, 2.0), ("Mul", numbers, numbers))
        for square in squares:
            spread: Pattern = ("Sqrt", ("Add", ("ReduceMean", square), "epsilon"))
            for whole in (
                ("Div", numbers, spread),
                ("Mul", numbers, ("Reciprocal", spread)),
                ("Mul", numbers, ("Div", 1.0, spread)),
            ):
                yield form, ("Mul", whole, "weight")
                yield form, ("Mul", ("Cast", whole), "weight")


_NORMALIZATIONS = tuple(_normalizations())


def find_normalization(root: NodeProto, scope: Scope) -> Finding:
    """LayerNormalization with a weight, and with a bias where a constant vector is added; RMSNormalization."""
    if root.op_type not in ("Add", "Mul") or len(root.input) != 2:
        return None
    if root.op_type == "Mul":
        match, form = _first(_NORMALIZATIONS, root, scope)
        readers = scope.consumers.get(root.output[0], [])
        if match is None or (
            form == "layer_norm" and any(_scaled(reader, scope) is root for reader in readers)
        ):
            return None
        return _normalization(match, form, (), root, scope)
    made = _scaled(root, scope)
    if made is None:
        return None
    match, form = _first(_NORMALIZATIONS, made, scope)
    if match is None or form != "layer_norm":
        return None
    bias = next(name for name in root.input if name != made.output[0])
    return _normalization(match, form, (bias,), root, scope)


def _scaled(node: NodeProto, scope: Scope) -> NodeProto | None:
    """The Mul to whose result an Add adds a constant vector."""
    if node.op_type != "Add" or len(node.input) != 2:
        return None
    for name, other in (tuple(node.input), tuple(node.input)[::-1]):
        made = made_by(name, scope, "Mul")
        if made is not None and len(constant_shape(other, scope) or ()) == 1:
            return made
    return None


def _normalization(match: Match, form: str, bias: tuple[str, ...], root: NodeProto, scope: Scope) -> Finding:
    x, weight = match.values["x"], match.values["weight"]
    epsilon = number(match.values["epsilon"], scope)
    rank, reductions = scope.rank(x), match.reductions.values()
    over = {reduced.axes and normal_axes(reduced.axes, rank) for reduced in reductions if reduced.keepdims}
    if (
        epsilon is None
        or epsilon < 0
        or len(over) != 1
        or not all(reduced.keepdims for reduced in reductions)
    ):
        return None
    axes = over.pop()
    if not axes or len(axes) != 1:
        return None
    (axis,) = axes
    casts = [node for node in match.nodes.values() if node.op_type == "Cast"]
    if not all(map(is_cast_to_float32, casts)):
        return None
    dtypes = {np.dtype(np.float32)} if casts else _DTYPES

    def run(x: Array, *factors: Array) -> Array | None:
        if not x.ndim or x.dtype not in dtypes or axis not in (-1, x.ndim - 1):
            return None
        if any(each.dtype != x.dtype or each.shape != x.shape[-1:] for each in factors):
            return None
        if form == "rms_norm":
            scaled: Array = kernels().rms_norm(x, *factors, epsilon=epsilon)
            return scaled
        normal: Array = kernels().layer_norm(x, *factors, epsilon=epsilon)
        return normal

    kind = {"layer_norm": "layer normalization", "rms_norm": "RMS normalization"}[form]
    return fused(kind, (*match.nodes.values(), root), (x, weight, *bias), run, scope)
