"""How labels count in a loss and its gradient: ignored ones, weights, the reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .counts import check_count, check_integer
from .floats import as_floats
from .graph import Graph
from .rows import masked
from .steps import where

Reduction = Literal["mean", "sum", "none"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


@dataclass(frozen=True)
class LabelRule:
    """The options of a loss after their checks."""

    classes: int
    reduction: str
    weight: NDArray[Any] | None
    ignore_index: int | None


def read_rule(
    graph: Graph, classes: object, reduction: object, class_weight: ArrayLike | None, ignore_index: object
) -> LabelRule:
    """Return the options of a loss checked, weights in the dtype that ``graph`` computes in."""
    count = check_count("classes", classes)
    if reduction not in REDUCTIONS:
        message = f"expected a reduction among {', '.join(REDUCTIONS)} (got {reduction!r}); choose one"
        raise ValueError(message)
    weight = None if class_weight is None else as_floats("class_weight", class_weight, graph.compute)
    if weight is not None and weight.shape != (count,):
        message = f"expected class_weight of shape ({count},), one for each class (got {weight.shape}); pass as many"
        raise ValueError(message)
    if ignore_index is not None:
        ignore_index = check_integer("ignore_index", ignore_index, -100)
        if not -(2**63) <= ignore_index < 2**63:
            message = f"expected ignore_index within int64 (got {ignore_index}); pass for instance -100"
            raise ValueError(message)
    return LabelRule(count, str(reduction), weight, ignore_index)


def counted_labels(graph: Graph, rule: LabelRule, labels: str) -> tuple[str | None, str]:
    """Return which labels count, None for all, and the labels with a 0 for those that don't."""
    if rule.ignore_index is None:
        return None, labels
    ignored = graph.constant("ignore_index", np.array(rule.ignore_index, np.int64))
    zero = graph.constant("first_class", np.array(0, np.int64))
    skipped = graph.node("Equal", labels, ignored, name="skipped")
    return graph.node("Not", skipped, name="counted"), where(graph, skipped, zero, labels, name="safe_labels")


def row_weights(graph: Graph, rule: LabelRule, counted: str | None, safe: str) -> str | None:
    """Return the weight of each row; None where all are 1."""
    weights = None if counted is None else graph.cast(counted, graph.compute)
    if rule.weight is None:
        return weights
    table = graph.number("class_weight", rule.weight)
    own = graph.node("Gather", table, safe, name="label_weights", axis=0)
    return own if weights is None else graph.node("Mul", own, weights, name="weights")


def counted_only(graph: Graph, losses: str, counted: str) -> str:
    """Return losses, 0 for the rows that do not count."""
    if graph.opset >= 9:
        return masked(graph, losses, counted, 0, name="counted_losses")
    return graph.node("Mul", losses, graph.cast(counted, graph.compute), name="counted_losses")


def ones(graph: Graph, labels: str) -> str:
    """Return a 1 for each label."""
    same = graph.node("Equal", labels, labels, name="every_row")
    return graph.cast(same, graph.compute, name="ones")
