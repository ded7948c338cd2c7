"""The known deviations of a runtime in a model: the list that the suite goes by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from softops.opset.nodes.node import attributes_of

from ..cases.calls import case_of
from ..cases.case import Case
from ..measure.ulp import is_float
from ..runtimes.protocol import Runtime, name_of, precision_of, version_of
from ..verdicts.known import known_deviations
from .graph import Arrays, FamilyNode, ModelGraph
from .step import Step

_VARIANTS = ("post_transform", "norm")
"""The attributes that the suite's variants are called after."""


def excused(graph: ModelGraph, runtime: Runtime, values: Arrays, steps: Iterable[Step]) -> list[Step]:
    """
    Return the steps, those that are known deviations of the runtime marked as such.

    ``values`` are the runtime's own: some deviations are of a NaN or an infinity in the input alone.
    """
    listed = known_deviations(name_of(runtime), version_of(runtime)).deviations
    deviations = [d for d in listed if d.holds_in(precision_of(runtime).computes_in)]
    found = []
    for step in steps:
        family = None if step.passed else graph.family_node(step.tensor)
        if family is not None:
            case = _case(graph, family, values)
            mark = next((d for d in deviations if d.explains_step(case, step.kinds, step.max_error)), None)
            if mark is not None:
                step = replace(step, known=f"{mark.why} {mark.issue}")  # noqa: PLW2901
        found.append(step)
    return found


def _case(graph: ModelGraph, family: FamilyNode, values: Arrays) -> Case:
    x = graph.value(family.source, values)
    dtype = graph.dtype(family.source) if x is None else x.dtype
    options: dict[str, Any] = attributes_of(family.node)
    variant = next((str(options[name]) for name in _VARIANTS if name in options), "")
    return case_of(
        family.operator,
        "float32" if dtype is None else dtype.name,
        () if x is None else x.shape,
        "given" if x is None or not is_float(x.dtype) else _family(x),
        axis=family.axis,
        variant=variant,
    )


def _family(x: Any) -> str:
    """Name the family of the suite that an input belongs to by its special values."""
    if np.isnan(x).any():
        return "nan-some"
    return "plus-inf-some" if np.isposinf(x).any() else "given"
