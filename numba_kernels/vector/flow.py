"""Loops and branches in traced code.

Written with functions, as in JAX: what a loop carries from one round to the next, and what a branch comes to, is given
to a function and returned by it.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from .control import integer
from .functions import as_tuple
from .types import llvm
from .values import Value

Body = Callable[..., Any]


def _single(values: tuple[Any, ...]) -> Any:
    return None if not values else values[0] if len(values) == 1 else values


def repeat(first: Any, last: Any, body: Body, *carried: Value, step: Any = 1) -> Any:
    """``for i in range(first, last, step): carried = body(i, *carried)``; what is carried at the end.

    `first` or `last` is a value; at least one round is not assumed.
    """
    like = last if isinstance(last, Value) else first
    builder, start, stop = like.builder, integer(like, first), integer(like, last)
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("loop", "round", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(llvm(types.int64))
    phis = [builder.phi(llvm(value.type)) for value in carried]
    builder.cbranch(builder.icmp_signed("<", index, stop.ir), inside, after)
    builder.position_at_end(inside)
    present = [value.new(value.type, phi) for value, phi in zip(carried, phis, strict=True)]
    results = as_tuple(body(like.new(types.int64, index), *present))
    following = builder.add(index, integer(like, step).ir)
    for phi, before_value, value in zip(
        (index, *phis), (start, *carried), (like.new(types.int64, following), *results), strict=True
    ):
        phi.add_incoming(before_value.ir, before)
        phi.add_incoming(value.ir, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return _single(tuple(present))


def seek(first: Any, last: Any, found: Body, step: Any = 1) -> Value:
    """The first i of ``range(first, last, step)`` for which ``found(i)``; one not below `last` where there is none."""
    like = last if isinstance(last, Value) else first
    builder, start, stop = like.builder, integer(like, first), integer(like, last)
    before = builder.block
    head, inside, on, after = (builder.append_basic_block(name) for name in ("seek", "look", "on", "found"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(llvm(types.int64))
    index.add_incoming(start.ir, before)
    builder.cbranch(builder.icmp_signed("<", index, stop.ir), inside, after)
    builder.position_at_end(inside)
    builder.cbranch(found(like.new(types.int64, index)).ir, after, on)
    builder.position_at_end(on)
    index.add_incoming(builder.add(index, integer(like, step).ir), on)
    builder.branch(head)
    builder.position_at_end(after)
    return like.new(types.int64, index)


def choose(condition: Value, then: Body, otherwise: Body | None = None) -> Any:
    """``then() if condition else otherwise()``, of which one is run; they return values of the same types."""
    builder = condition.builder
    yes, no, after = (builder.append_basic_block(name) for name in ("then", "else", "both"))
    builder.cbranch(condition.ir, yes, no)
    ends = []
    for block, branch in ((yes, then), (no, otherwise)):
        builder.position_at_end(block)
        ends.append((as_tuple(branch() if branch else None), builder.block))
        builder.branch(after)
    builder.position_at_end(after)
    (results, end), (others, other_end) = ends
    merged = []
    for a, b in zip(results, others, strict=True):
        model = a if isinstance(a, Value) else b
        phi = builder.phi(llvm(model.type))
        for value, block in ((a, end), (b, other_end)):
            phi.add_incoming((value if isinstance(value, Value) else model.constant(value)).ir, block)
        merged.append(model.new(model.type, phi))
    return _single(tuple(merged))
