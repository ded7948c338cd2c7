"""
Rules of operators that work number by number.

A function is given as a multiple of one rounding, relative to the larger of its result and a floor. The floors are what
right runtimes were seen to need: an error function good to a few units near 1 and not near 0, a sigmoid from a rational
approximation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.arrays import Array
from .call import Call, Rule


def rounded(times: float = 1.0, floor: float = 0.0) -> Rule:
    """So many roundings of the result, or of a floor where that is larger."""
    return lambda call: times * call.alpha * np.maximum(np.abs(call.y), floor)


def of_argument(times: float) -> Rule:
    """So many roundings of the input: of x times a factor between 0 and 1 which is a sum that cancels."""
    return lambda call: times * call.alpha * np.maximum(np.abs(call.inputs[0]), np.abs(call.y))


def only_below_zero(times: float = 1.0, floor: float = 0.0) -> Rule:
    """As `rounded` where the input is negative; above it is handed on."""

    def rule(call: Call) -> Array:
        sigma = times * call.alpha * np.maximum(np.abs(call.y), floor)
        return np.where(call.inputs[0] < 0, sigma, 0)

    return rule


def hard_sigmoid(call: Call) -> Array:
    """A product and a sum, between 0 and 1."""
    slope = call.attribute("alpha", 0.2) * call.inputs[0]
    inside = (call.y > 0) & (call.y < 1)
    return np.where(inside, call.alpha * np.hypot(slope, call.y), 0)


def hard_swish(call: Call) -> Array:
    """x times a hard sigmoid, which is exact outside -3 and 3."""
    inside = np.abs(call.inputs[0]) < 3
    return np.where(inside, 2 * call.alpha * np.abs(call.inputs[0]), 0)


def product(call: Call) -> Array | None:
    """A product or quotient; none by powers of two."""
    for factor in call.inputs[1:] if call.node.proto.op_type == "Div" else call.inputs:
        if factor.size <= 1 and (np.abs(np.frexp(factor)[0]) == 0.5).all():
            return None
    return np.asarray(call.alpha * np.abs(call.y))


def total(call: Call) -> Array:
    """A sum or difference of two: none where one is 0."""
    a, b = call.inputs[:2]
    return np.where((a == 0) | (b == 0), 0, call.alpha * np.abs(call.y))


def of_all(call: Call) -> Array:
    """Sum and Mean of several inputs: all partial sums."""
    partial, squares = call.inputs[0], np.zeros(())
    for other in call.inputs[1:]:
        partial = partial + other
        squares = squares + partial**2
    count = len(call.inputs) if call.node.proto.op_type == "Mean" else 1
    return np.asarray(call.alpha * np.sqrt(squares / count**2 + (call.y**2 if count > 1 else 0)))


def power(call: Call) -> Array | None:
    """Squares are one rounding; others go through a logarithm: ln y roundings of y."""
    exponent = call.inputs[1]
    if exponent.size == 1 and exponent.item() in (1, 2, 0.5):
        return None if exponent.item() == 1 else np.asarray(call.alpha * np.abs(call.y))
    with np.errstate(all="ignore"):
        size = np.abs(np.log(np.abs(call.y)))
    size = np.where(np.isfinite(size), np.minimum(size, 100), 0)
    return np.asarray(call.alpha * np.abs(call.y) * np.sqrt(4 + size**2 / 4))


def cast(call: Call) -> Array | None:
    """One rounding where the number is none of the new dtype."""
    if call.y.dtype != np.float64 or call.inputs[0].dtype.kind in "OSUT":
        return None
    if call.inputs[0].dtype.kind in "iub":
        bits = round(-np.log2(call.alpha * np.sqrt(3)))
        return np.where(np.abs(call.y) >= 2.0**bits, call.alpha * np.abs(call.y), 0)
    return np.asarray(call.alpha * np.abs(call.y))


def slope_of_erf(call: Call) -> Array:
    """The derivative of the error function."""
    return np.asarray(2 / np.sqrt(np.pi) * np.exp(-(call.inputs[0] ** 2)))


def slope_of_gelu(call: Call) -> Array | None:
    """The derivative of Gelu: its distribution function, and x times the density."""
    if call.attribute("approximate", "none") != "none":
        return None
    x = call.inputs[0]
    with np.errstate(all="ignore"):
        cumulative = np.where(x == 0, 0.5, call.y / x)
    return np.asarray(cumulative + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))


SLOPES: dict[tuple[str, str], Any] = {("", "Erf"): slope_of_erf, ("", "Gelu"): slope_of_gelu}
"""Functions that take long: near the exact value a sample goes along the tangent."""

RULES: dict[tuple[str, str], Any] = {
    **{("", name): total for name in ("Add", "Sub")},
    **{("", name): product for name in ("Mul", "Div")},
    **{("", name): of_all for name in ("Sum", "Mean")},
    **{("", name): cast for name in ("Cast", "CastLike")},
    **{("", name): rounded() for name in ("Sqrt", "Reciprocal", "Mod", "DequantizeLinear")},
    **{
        ("", name): rounded(2)
        for name in ("Exp", "Log", "Sinh", "Cosh", "Tan", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh")
    },
    **{("", name): rounded(2, 1) for name in ("Sin", "Cos", "Sigmoid")},
    ("", "Tanh"): rounded(3),
    ("", "Erf"): rounded(5, 1),
    ("", "Softplus"): rounded(12, 1),
    ("", "Softsign"): rounded(2),
    ("", "Gelu"): of_argument(4),
    ("", "Mish"): of_argument(6),
    ("", "Swish"): of_argument(3),
    ("", "HardSigmoid"): hard_sigmoid,
    ("", "HardSwish"): hard_swish,
    **{("", name): only_below_zero() for name in ("LeakyRelu", "PRelu")},
    **{("", name): only_below_zero(2, 1) for name in ("Elu", "Celu")},
    ("", "Selu"): rounded(2, 1),
    ("", "Shrink"): rounded(),
    ("", "Pow"): power,
    ("com.microsoft", "Gelu"): of_argument(4),
}
