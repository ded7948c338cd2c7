"""From a case to its model, feeds and exact outputs."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from softops.opset import Operator
from softops.opset.graph.files import serialize

from .calls import Call, row_of
from .case import Case, Material
from .families import NON_CONTIGUOUS, as_view, dtype_of
from .graphs import model_of
from .variations import VARIATIONS

Array = NDArray[Any]


class Truth(NamedTuple):
    """
    What is known of a case whatever its form: shared between the cases that differ in that alone.

    The node's inputs and attributes, and of its outputs the names, the values before rounding (in `numpy.longdouble`;
    integers, strings and copies as they are) and the dtypes.
    """

    call: Call
    names: tuple[str, ...]
    exact: tuple[Array, ...]
    dtypes: tuple[np.dtype[Any], ...]


def call_of(case: Case) -> Call:
    """Make the inputs and attributes of a case: the same whatever its form and setting."""
    row = row_of(case)
    # The same numbers for every version of an operator, in every dtype and graph.
    name = f"{case.op}/{case.family}/{case.shape}/{case.axis}/{case.variant}/{case.seed}"
    random = np.random.default_rng(zlib.crc32(name.encode()))
    call = VARIATIONS[case.op].make(row, case, random)
    if case.family == NON_CONTIGUOUS:
        views = [
            x if x is None or not x.size else as_view(x, i + len(case.shape) + (case.axis or 0))
            for i, x in enumerate(call.inputs)
        ]
        return call._replace(inputs=views)
    return call


def truth(case: Case) -> Truth:
    """Evaluate the oracle; the latest cases are remembered."""
    return _truth(replace(case, form="plain", setting=""))


@lru_cache(maxsize=64)
def _truth(case: Case) -> Truth:
    return truth_of(row_of(case), call_of(case))


def built(case: Case) -> tuple[bytes, dict[str, Array]]:
    """
    Return the serialized model of a case, and what is fed.

    ValueError: there is no such family, form or variant; UnknownOperatorError, UnknownOpsetError: no such operator.
    """
    row, known = row_of(case), truth(case)
    named = zip((parameter.name for parameter in row.inputs), known.call.inputs, strict=False)
    feeds = {name: x for name, x in named if x is not None}
    names = ["" if x is None else row.inputs[i].name for i, x in enumerate(known.call.inputs)]
    node = helper.make_node(row.op_type, names, known.names, domain=row.domain, **known.call.attributes)
    results = {
        name: np.empty(value.shape, dtype)
        for name, value, dtype in zip(known.names, known.exact, known.dtypes, strict=True)
    }
    model, given = model_of(case.form, node, feeds, results, case.opset)
    return serialize(model), given


def material(case: Case) -> Material:
    """Build a case with what is to come out, rounded once; raises what `built` does."""
    model, feeds = built(case)
    known = truth(case)
    with np.errstate(all="ignore"):
        expected = row_of(case).evaluate(known.call.inputs, known.call.attributes, outputs=known.call.outputs)
    return Material(model, feeds, dict(zip(known.names, expected, strict=True)))


def truth_of(row: Operator, call: Call) -> Truth:
    """Evaluate the oracle for the inputs and attributes of any node."""
    with np.errstate(all="ignore"):
        exact = row.evaluate(call.inputs, call.attributes, outputs=call.outputs, rounded=False)
    outputs = row.outputs[: call.outputs]
    given = {
        parameter.type: x.dtype
        for parameter, x in zip(row.inputs, call.inputs, strict=False)
        if x is not None
    }
    dtypes = tuple(
        given.get(output.type, dtype_of(row.types.get(output.type, (output.type,))[0]))
        if value.dtype == np.longdouble
        else value.dtype
        for output, value in zip(outputs, exact, strict=True)
    )
    return Truth(call, tuple(output.name for output in outputs), exact, dtypes)
