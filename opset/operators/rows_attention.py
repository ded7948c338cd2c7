"""Rows of the table: Attention."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..oracle import attention as reference_attention
from . import attention
from .attribute import Attribute
from .dtypes import INTEGERS, floats
from .row import Attributes, Inputs, Operator, Parameter

_FLOATS = floats(bfloat16=True)


def _kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> tuple[NDArray[Any], ...]:
    return attention.run(inputs, _given(attributes), version=row.since_version, outputs=outputs)


def _reference(
    row: Operator, inputs: Inputs, attributes: Attributes, outputs: int
) -> tuple[NDArray[Any], ...]:
    given = _given(attributes)
    return reference_attention.evaluate(inputs, given, version=row.since_version, outputs=outputs)


def _given(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}


def _attention(since_version: int) -> Operator:
    inputs = [
        Parameter("Q", "T1"),
        Parameter("K", "T1"),
        Parameter("V", "T2"),
        Parameter("attn_mask", "U", optional=True),
        Parameter("past_key", "T1", optional=True),
        Parameter("past_value", "T2", optional=True),
    ]
    attributes = {
        "is_causal": Attribute("int", 0),
        "scale": Attribute("float"),
        "q_num_heads": Attribute("int"),
        "kv_num_heads": Attribute("int"),
        "softmax_precision": Attribute("int"),
        "softcap": Attribute("float", 0.0),
        "qk_matmul_output_mode": Attribute("int", 0),
    }
    if since_version >= 24:
        inputs.append(Parameter("nonpad_kv_seqlen", "int64", optional=True))
    if since_version >= 25:
        attributes |= {"left_window_size": Attribute("int", -1), "right_window_size": Attribute("int", -1)}
    return Operator(
        op_type="Attention",
        since_version=since_version,
        axis_rule="single",
        default_axis=-1,
        types={"T1": _FLOATS, "T2": _FLOATS, "U": (*INTEGERS, *_FLOATS, "bool")},
        inputs=tuple(inputs),
        outputs=(
            Parameter("Y", "T1"),
            Parameter("present_key", "T1", optional=True),
            Parameter("present_value", "T2", optional=True),
            Parameter("qk_matmul_output", "T1", optional=True),
        ),
        attributes=attributes,
        kernel=_kernel,
        reference=_reference,
        notes=attention.NOTES,
    )


ROWS: tuple[Operator, ...] = tuple(_attention(version) for version in (23, 24, 25))
