"""The warnings about one node; the table at the end says which there are."""

from __future__ import annotations

from collections.abc import Callable

from onnx import NodeProto, TensorProto

from ..expressions.passing import passes_on
from ..expressions.rules import recognized
from ..graph.domains import canonical_domain
from ..graph.scopes import Scope
from ..operators.table import is_known, unquantized
from .calls import label_of
from .family import NodeRecord, integer
from .runtime import no_kernel
from .sources import probabilities_from, sources
from .warning import Finding, Seen

_NORMALISERS = {"Softmax", "LogSoftmax", "Hardmax"}
_HALVES = {"float16": 2048, "bfloat16": 256}  # where 1 is less than half a unit in the last place
_WIDER = {TensorProto.FLOAT, TensorProto.DOUBLE}
_TAKES_LOGITS = {"Softmax", "LogSoftmax", "SoftmaxCrossEntropyLoss"}
_LOSSES = {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}
_SUMS = {"Softmax", "LogSoftmax", "ReduceLogSumExp", "Attention", *_LOSSES}


def _flatten_rule(seen: Seen, record: NodeRecord) -> Finding | None:
    if record.axis_rule != "flatten" or record.axis == -1:
        return None
    along, shape = record.works_along, record.shape
    written = f"{record.operator} with " + (
        f"axis={record.axis}" if record.axis is not None else "the default axis"
    )
    if along is None:
        if shape is not None:  # the axis lies outside the rank, or there is none: no meaning to warn of
            return None
        does = "normalises over that axis and all after it together: over one axis alone only where it is the last"
    else:
        assert shape is not None  # under this rule the rank decides what it works along
        if all(shape[axis] == 1 for axis in along[1:]):
            return None
        count = "" if record.elements is None else f" ({record.elements} elements)"
        does = (
            f"normalises over dimensions {_list(along)} together{count}, not over dimension {along[0]} alone"
        )
    cure = (
        "if one axis is meant, export with opset 13 or newer; to keep what it computes in a newer opset, "
        "use `softops convert --opset 13`"
    )
    if unquantized(record.op_type, record.domain) != record.op_type:
        cure = "if one axis is meant, set its attribute opset=13"
    return Finding(f"{written} {does}", cure)


def _outside_rank(seen: Seen, record: NodeRecord) -> Finding | None:
    if record.shape is None or record.works_along is not None or record.detail:
        return None
    axis = "the default axis" if record.axis is None else f"axis={record.axis}"
    return Finding(
        f"{record.operator} with {axis} on an input of rank {len(record.shape)}, which has no such axis",
        f"correct the axis, or the shape that the model states: {_shape(record)}",
        "error",
    )


def _batch_axis(seen: Seen, record: NodeRecord) -> Finding | None:
    along, shape = record.works_along, record.shape
    if unquantized(record.op_type, record.domain) not in _NORMALISERS:
        return None
    if shape is None:
        if record.axis_rule != "single" or along != (0,):
            return None
        batch = "dimension 0"
    else:
        symbolic = [
            axis
            for axis, size in enumerate(shape)
            if isinstance(size, str) and size in seen.batch_symbols and shape.count(size) == 1
        ]
        # Without a symbol that says where the batch is, it is dimension 0; a Scan's body sees none of it.
        batches = symbolic or ([] if _is_in_scan(seen.scope) else [0])
        found = next((axis for axis in batches if axis in (along or ())), None)
        if found is None or len(shape) < 2:
            return None
        batch = f"dimension {found}" + ("" if shape[found] is None else f" ({shape[found]})")
    return Finding(
        f"{record.operator} normalises over {batch}, the batch: "
        "the result for one example depends on the others beside it",
        "set axis to the dimension of the classes, usually -1; where the examples do lie along another "
        "dimension, leave it",
    )


def _single_element(seen: Seen, record: NodeRecord) -> Finding | None:
    op_type = unquantized(record.op_type, record.domain)
    if op_type not in _NORMALISERS or record.elements != 1 or not record.works_along:
        return None
    return Finding(
        f"{record.operator} normalises over one element alone: it gives {'0' if op_type == 'LogSoftmax' else '1'} "
        "whatever the input is",
        "set axis to the dimension of the classes; of one score alone a Sigmoid makes a probability",
    )


def _after_softmax(seen: Seen, record: NodeRecord) -> Finding | None:
    if unquantized(record.op_type, record.domain) not in _TAKES_LOGITS or not seen.node.input:
        return None
    for made in sources(seen.scope, seen.node.input[0], _passes_on_or_requantizes):
        name = None if made is None else probabilities_from(made)
        if made is not None and name is not None:
            return Finding(
                f"{record.operator} takes for logits what {name} '{label_of(made.node)}' has normalised already: "
                "no probability it makes is more than e = 2.718 times another",
                "take one of the two out, and feed the other with the logits; at the end of a model `softops export "
                "strip` takes out the second",
            )
    return None


def _half_accumulation(seen: Seen, record: NodeRecord) -> Finding | None:
    if record.dtype not in _HALVES or record.op_type not in _SUMS:
        return None
    cure = "put a Cast to float32 before it and a Cast back after it"
    if record.op_type == "Attention":
        if integer(seen.node, "softmax_precision") in _WIDER:
            return None
        cure = "set its attribute softmax_precision=1 (float32)"
    if record.op_type == "ReduceLogSumExp" and record.since_version >= 18:
        return None  # its function body sums in double
    if record.op_type == "NegativeLogLikelihoodLoss" and record.detail == "reduction=none":
        return None  # nothing is summed
    return Finding(
        f"{record.operator} sums in {record.dtype} as far as ONNX says, where a sum of ones stops at "
        f"{_HALVES[record.dtype]}; whether a runtime takes float32 instead is its own choice",
        cure,
    )


def _log_of(op_type: str, where: str, cure: str) -> Callable[[Seen], Finding | None]:
    def rule(seen: Seen) -> Finding | None:
        if canonical_domain(seen.node.domain) or seen.node.op_type != "Log" or not seen.node.input:
            return None
        for made in sources(seen.scope, seen.node.input[0]):
            if made is None or canonical_domain(made.node.domain) or made.output:
                continue
            if made.node.op_type == op_type:
                return Finding(f"Log of {op_type} '{label_of(made.node)}' is -inf wherever {where}", cure)
            if made.node.op_type in ("Softmax", "Sigmoid"):
                return None  # of several branches the first is spoken of
        return None

    return rule


def _spelled_out(seen: Seen) -> Finding | None:
    found = recognized(seen.node, seen.scope, closed=False)
    # What is already made of one of the family has a rule of its own.
    if found is None or any(is_known(node.op_type, node.domain) for node in found.match.nodes.values()):
        return None
    return Finding(
        f"{found.fused.op_type} of '{found.fused.inputs[0]}' is spelled out, up to this {seen.node.op_type}: runtimes "
        "compute it as single steps, and where the maximum is not subtracted it overflows",
        "`softops export fuse` puts the operator in its place, where nothing else reads a value inside",
    )


def _is_in_scan(scope: Scope | None) -> bool:
    while scope is not None and not (scope.opener is not None and scope.opener.op_type == "Scan"):
        scope = scope.parent
    return scope is not None


def _passes_on_or_requantizes(scope: Scope, node: NodeProto) -> bool:
    return passes_on(scope, node) or node.op_type in {"QuantizeLinear", "DequantizeLinear"}


def _shape(record: NodeRecord) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in record.shape or ())}]"


def _list(axes: tuple[int, ...]) -> str:
    return f"{axes[0]} and {axes[1]}" if len(axes) == 2 else f"{axes[0]} to {axes[-1]}"


OF_FAMILY: dict[str, Callable[[Seen, NodeRecord], Finding | None]] = {
    "invalid": _outside_rank,
    "flatten-rule": _flatten_rule,
    "batch-axis": _batch_axis,
    "single-element": _single_element,
    "softmax-after-softmax": _after_softmax,
    "half-accumulation": _half_accumulation,
    "no-kernel": no_kernel,
}
"""What is asked about each node of the softmax family, by the code of the warning."""

OF_OTHERS: dict[str, Callable[[Seen], Finding | None]] = {
    "spelled-out": _spelled_out,
    "log-of-softmax": _log_of(
        "Softmax",
        "a probability is too small for the dtype: in float32 about 104 below the largest logit",
        "replace the two by LogSoftmax with the axis of the Softmax, which is finite there; `softops export "
        "fuse` does where nothing else reads the probabilities",
    ),
    "log-of-sigmoid": _log_of(
        "Sigmoid",
        "the sigmoid is too small for the dtype: in float32 below about -104, and in some runtimes below -88",
        "replace the two by Neg, Softplus, Neg: log(sigmoid(x)) = -softplus(-x), which is finite there; `softops "
        "export fuse` does where nothing else reads the sigmoid",
    ),
}
"""What is asked about every other node."""
