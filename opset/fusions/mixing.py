"""The two products of an attention, as MatMul or as Einsum: which axes are heads, queries, keys and sizes."""

from __future__ import annotations

from typing import NamedTuple

from onnx import NodeProto

from ..graph.scopes import Scope
from .reading import attribute, made_by

PRODUCTS = ("MatMul", "Einsum")

Order = tuple[int, ...]
"""Axes of an array in the order (batch, heads, length, size); () where they lie so already."""


class Product(NamedTuple):
    """The names of two operands, how each lies, whether the second is (…, size, keys), and how the result shall lie."""

    first: str
    second: str
    first_order: Order = ()
    second_order: Order = ()
    turned: bool = False
    order: Order = ()


def scores_product(node: NodeProto, scope: Scope) -> Product | None:
    """Q Kᵀ: the operand of queries first."""
    if node.op_type == "MatMul":
        return Product(node.input[0], node.input[1], turned=True)
    letters = _letters(node)
    if letters is None:
        return None
    given, result = dict(zip(node.input, letters[:2], strict=True)), letters[2]
    batch, heads, queries, keys = tuple(result)
    for (q, of_q), (k, of_k) in (list(given.items()), list(given.items())[::-1]):
        (size,) = set(of_q) - set(result) or {""}
        if size and set(of_q) == {batch, heads, queries, size} and set(of_k) == {batch, heads, keys, size}:
            return Product(
                q, k, _order(of_q, batch, heads, queries, size), _order(of_k, batch, heads, keys, size)
            )
    return None


def values_product(node: NodeProto, scope: Scope) -> Product | None:
    """P V: the operand of probabilities first; those lie as (batch, heads, queries, keys)."""
    if made_by(node.output[0], scope, *PRODUCTS) is None:
        return None
    if node.op_type == "MatMul":
        return Product(node.input[0], node.input[1])
    letters = _letters(node)
    if letters is None:
        return None
    given, result = list(zip(node.input, letters[:2], strict=True)), letters[2]
    for (p, of_p), (v, of_v) in (given, given[::-1]):
        batch, heads, queries, keys = tuple(of_p)
        (size,) = set(of_v) - set(of_p) or {""}
        if size and set(of_v) == {batch, heads, keys, size} and set(result) == {batch, heads, queries, size}:
            order = tuple((batch, heads, queries, size).index(letter) for letter in result)
            return Product(p, v, (), _order(of_v, batch, heads, keys, size), order=order)
    return None


def _letters(node: NodeProto) -> tuple[str, str, str] | None:
    """The letters of two operands of rank 4 and of the result; None for any other equation."""
    equation = attribute(node, "equation", b"") or b""
    text = equation.decode().replace(" ", "")
    left, arrow, result = text.partition("->")
    operands = left.split(",")
    if not arrow or len(operands) != 2 or len(node.input) != 2 or node.input[0] == node.input[1]:
        return None
    if any(len(set(part)) != 4 or len(part) != 4 or not part.isalpha() for part in (*operands, result)):
        return None
    return operands[0], operands[1], result


def _order(letters: str, *wanted: str) -> Order:
    return tuple(map(letters.index, wanted))
