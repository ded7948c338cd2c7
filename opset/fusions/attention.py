"""
softmax(scale Q Kᵀ + mask) V: a product, scale, mask, Softmax, a product.

Products are MatMul or Einsum. The scale may stand on the queries, the keys or the scores, which a Tanh may cap; masks
are added or chosen by Where; heads of keys and values may be repeated by Expand or Tile. The Softmax may be spelled
out, and rows without a key may be set to 0 behind it (IsNaN, Where), as torch has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import NodeProto

from ..expressions.passing import FLOATS, passes_on
from ..graph.scopes import Scope
from ..graph.types import dtype_of
from .attend import Attention
from .fusion import Finding, NearMiss, asked_for, fused, in_order
from .mixing import PRODUCTS, scores_product, values_product
from .reading import attribute, made_by, number
from .scores import scaled_operand, scores_at
from .softmax import softmax_at
from .views import View, view_of

KIND = "attention"


def find_attention(root: NodeProto, scope: Scope) -> Finding:
    """The attention whose values a product mixes."""
    mixing = values_product(root, scope)
    if mixing is None:
        return None
    behind = _behind_softmax(mixing.first, scope)
    softmax = softmax_at(behind.chances, scope)
    if softmax is None:
        return None
    scores = scores_at(softmax.x, scope, PRODUCTS)
    product = None if scores.product is None else scores_product(scores.product, scope)
    if product is None:
        return None
    q, on_q, scaling_q = scaled_operand(product.first, scope)
    k, on_k, scaling_k = scaled_operand(product.second, scope)
    # Axes of an Einsum lie in any order, and a rank of 3 has no heads: no moves before them are looked for.
    moved = product.turned and not mixing.second_order and scope.rank(q) in (4, None)
    keys, values = (view_of(name, scope) if moved else View(name) for name in (k, mixing.second))
    moves = (*keys.nodes, *values.nodes)
    nodes = [*scaling_q, *scaling_k, *moves, *scores.nodes, *softmax.nodes, *behind.nodes, root]
    inside = in_order(nodes, scope)
    reason = (
        asked_for(inside, scope)
        or scores.fault
        or softmax.not_last(scope)
        or _ranks_differ((q, keys.source, values.source), scope)
        or _mask_is_larger(tuple(mask.name for mask in scores.masks), q, scope)
    )
    if reason is not None:
        return NearMiss(KIND, inside, reason)
    scales = (*on_q, *on_k, *scores.scales)
    attention = Attention(
        product=product,
        mixing=mixing,
        keys=keys,
        values=values,
        scales=tuple(scale.divides for scale in scales),
        caps=tuple(scale.divides for scale in scores.caps) if scores.capped else None,
        masks=tuple(scores.masks),
        softmax=softmax,
        zeroes=behind.zeroes,
        widened=scores.widened,
        narrowed=behind.narrowed,
    )
    numbers = (scale.name for scale in (*scales, *scores.caps))
    read = [name for mask in scores.masks for name in (mask.name, mask.fill) if name]
    inputs = (q, keys.source, values.source, *keys.shapes, *values.shapes, *numbers, *read)
    return fused(KIND, inside, inputs, attention, scope)


class _Behind(NamedTuple):
    """The probabilities behind which nodes stand, whether NaN becomes 0 in these, and what they are cast to."""

    chances: str
    nodes: tuple[NodeProto, ...]
    zeroes: bool
    narrowed: np.dtype[Any] | None


def _behind_softmax(name: str, scope: Scope) -> _Behind:
    nodes: list[NodeProto] = []
    zeroes, narrowed = False, None
    while (node := made_by(name, scope, "Identity", "Dropout", "Where", "Cast")) is not None:
        if node.op_type == "Where":
            test = made_by(node.input[0], scope, "IsNaN")
            if test is None or test.input[0] != node.input[2] or number(node.input[1], scope) != 0:
                break
            nodes += [test, node]
            name, zeroes = node.input[2], True
            continue
        if node.op_type == "Cast":
            to = attribute(node, "to", None)
            if to not in FLOATS or narrowed not in (dtype_of(to, "a Cast"), None):
                break
            narrowed = dtype_of(to, "a Cast")
        elif not passes_on(scope, node) or len(node.output) != 1:
            break
        nodes.append(node)
        name = node.input[0]
    return _Behind(name, tuple(nodes), zeroes, narrowed)


def _ranks_differ(names: tuple[str, ...], scope: Scope) -> str | None:
    ranks = [rank for name in names if (rank := scope.rank(name)) is not None]
    if any(not 2 <= rank <= 4 for rank in ranks):
        return f"queries, keys or values have rank {next(rank for rank in ranks if not 2 <= rank <= 4)}"
    return "queries, keys and values have different ranks" if len(set(ranks)) > 1 else None


def _mask_is_larger(masks: tuple[str, ...], q: str, scope: Scope) -> str | None:
    """Whether a mask has more axes than the scores, which would repeat them."""
    rank = scope.rank(q)
    larger = [
        own for name in masks if (own := scope.rank(name)) is not None and rank is not None and own > rank
    ]
    return f"a mask of rank {larger[0]} for scores of rank {rank}" if larger else None
