"""Rows of the table: ArgMax, TopK and Multinomial, the decisions behind a head."""

from __future__ import annotations

from ..oracle import decisions as reference
from . import kernels_decisions as kernels
from .attribute import Attribute
from .dtypes import INDICES, INTEGERS, floats
from .row import Operator, Parameter


def _arg_max(since_version: int) -> Operator:
    attributes = {"axis": Attribute("int", 0), "keepdims": Attribute("int", 1)}
    if since_version >= 12:
        attributes["select_last_index"] = Attribute("int", 0)
    notes = [
        "A NaN counts as the largest, as in numpy.argmax and in TopK; ONNX does not speak of it, onnxruntime "
        "passes over it.",
        "An axis of length 0 has no largest element: an error.",
    ]
    if since_version < 12:
        notes.append("Of equal elements the first, which version 12 is the first to say.")
    if since_version < 11:
        notes.append("A negative axis, of which the text does not speak, is counted from the end.")
    return Operator(
        op_type="ArgMax",
        since_version=since_version,
        axis_rule="single",
        default_axis=0,
        types={"T": INTEGERS + floats(since_version >= 13)},
        inputs=(Parameter("data", "T"),),
        outputs=(Parameter("reduced", "int64"),),
        attributes=attributes,
        kernel=kernels.arg_max,
        reference=reference.arg_max,
        notes=tuple(notes),
    )


def _top_k(since_version: int) -> Operator:
    inputs = [Parameter("X", "T")]
    attributes = {"axis": Attribute("int", -1)}
    notes = [
        "A NaN counts as the largest, as in onnxruntime; ONNX does not speak of it.",
    ]
    if since_version < 10:
        attributes["k"] = Attribute("int", required=True)
    else:
        inputs.append(Parameter("K", "int64"))
        notes.append(
            "k = 0 gives empty outputs, as in onnxruntime, although the text asks for a positive number."
        )
    if since_version >= 11:
        attributes |= {"largest": Attribute("int", 1), "sorted": Attribute("int", 1)}
        notes.append(
            "With sorted = 0, which leaves the order undefined, the elements are sorted all the same."
        )
    else:
        notes.append("The largest come first; the text does not name an order.")
    if since_version < 11:
        notes.append("A negative axis, of which the text does not speak, is counted from the end.")
    return Operator(
        op_type="TopK",
        since_version=since_version,
        axis_rule="single",
        default_axis=-1,
        types={
            "T": (INTEGERS if since_version >= 11 else ()) + floats(since_version >= 24),
            "I": ("int64",),
        },
        inputs=tuple(inputs),
        outputs=(Parameter("Values", "T"), Parameter("Indices", "I")),
        attributes=attributes,
        kernel=kernels.top_k,
        reference=reference.top_k,
        notes=tuple(notes),
    )


def _multinomial(since_version: int) -> Operator:
    return Operator(
        op_type="Multinomial",
        since_version=since_version,
        axis_rule="single",
        default_axis=1,
        types={"T1": floats(since_version >= 22), "T2": INDICES},
        inputs=(Parameter("input", "T1"),),
        outputs=(Parameter("output", "T2"),),
        attributes={
            "dtype": Attribute("int", 6),
            "sample_size": Attribute("int", 1),
            "seed": Attribute("float"),
        },
        kernel=kernels.multinomial,
        reference=reference.multinomial,
        notes=(
            "ONNX names no generator: the numbers are numpy.random.PCG64's, seeded with the bits of the seed as a "
            "float32. A seed gives the same samples in every run; onnxruntime goes on in its stream from run to run.",
            "The probabilities are the softmax of a row; a class at -inf is never drawn, and a row without a "
            "finite number, or with a NaN or +inf, is an error.",
        ),
    )


ROWS: tuple[Operator, ...] = (
    *(_arg_max(version) for version in (1, 11, 12, 13)),
    *(_top_k(version) for version in (1, 10, 11, 24)),
    *(_multinomial(version) for version in (7, 22)),
)
