"""What a reader should be warned of at one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from onnx import NodeProto, TensorProto

from ..graph.domains import canonical_domain
from ..graph.protos import label_of
from ..graph.scopes import Scope
from .family import NodeRecord, integer
from .sources import passes_on, probabilities_from, sources

Severity = Literal["error", "warning"]

NORMALISERS = {"Softmax", "LogSoftmax", "Hardmax", "QLinearSoftmax"}
_HALVES = {"float16": 2048, "bfloat16": 256}  # where 1 is less than half a unit in the last place
_WIDER = {TensorProto.FLOAT, TensorProto.DOUBLE}
_TAKES_LOGITS = {"Softmax", "LogSoftmax", "QLinearSoftmax", "SoftmaxCrossEntropyLoss"}
_SUMS = {
    "Softmax",
    "LogSoftmax",
    "ReduceLogSumExp",
    "SoftmaxCrossEntropyLoss",
    "NegativeLogLikelihoodLoss",
    "Attention",
}


@dataclass(frozen=True, kw_only=True)
class LintWarning:
    """
    One thing to look at in a model.

    Attributes
    ----------
    code
        Stable name of the kind of warning, such as ``"flatten-rule"``.
    severity
        ``"error"`` where the runtime will refuse the model, ``"warning"`` where it will run it.
    node, where
        The node and the place it stands in, as in its `NodeRecord`; None for the model as a whole.
    message
        What is there and what it does.
    cure
        What to do about it.
    """

    code: str
    severity: Severity = "warning"
    node: str | None
    where: str | None
    message: str
    cure: str


@dataclass(frozen=True)
class Seen:
    """A node with all that the rules ask of it; ``record`` is None outside the family."""

    scope: Scope
    node: NodeProto
    record: NodeRecord | None
    batch_symbols: frozenset[str]

    def warning(self, code: str, message: str, cure: str, severity: Severity = "warning") -> LintWarning:
        """Return a warning about this node."""
        return LintWarning(
            code=code,
            severity=severity,
            node=label_of(self.node),
            where=self.scope.where,
            message=message,
            cure=cure,
        )


def node_warnings(seen: Seen) -> Iterator[LintWarning]:
    """Yield what there is to say about one node."""
    if seen.record is not None:
        for rule in _OF_FAMILY:
            yield from rule(seen, seen.record)
    if canonical_domain(seen.node.domain) == "" and seen.node.op_type == "Log" and seen.node.input:
        yield from _log_of_probabilities(seen)


def _flatten_rule(seen: Seen, record: NodeRecord) -> Iterator[LintWarning]:
    if record.axis_rule != "flatten" or record.axis == -1:
        return
    along, shape = record.works_along, record.shape
    written = f"{record.operator} with " + (
        f"axis={record.axis}" if record.axis is not None else "the default axis"
    )
    if along is None:
        if shape is not None:  # the axis lies outside the rank, or there is none: no meaning to warn of
            return
        does = "normalises over that axis and all after it together: over one axis alone only where it is the last"
    else:
        assert shape is not None  # under this rule the rank decides what it works along
        if all(shape[axis] == 1 for axis in along[1:]):
            return
        count = "" if record.elements is None else f" ({record.elements} elements)"
        does = (
            f"normalises over dimensions {_list(along)} together{count}, not over dimension {along[0]} alone"
        )
    cure = (
        "if one axis is meant, export with opset 13 or newer; to keep what it computes in a newer opset, "
        "use `softops convert --opset 13`"
    )
    if record.op_type == "QLinearSoftmax":
        cure = "if one axis is meant, set its attribute opset=13"
    yield seen.warning("flatten-rule", f"{written} {does}", cure)


def _outside_rank(seen: Seen, record: NodeRecord) -> Iterator[LintWarning]:
    if record.shape is None or record.works_along is not None or record.detail:
        return
    axis = "the default axis" if record.axis is None else f"axis={record.axis}"
    yield seen.warning(
        "invalid",
        f"{record.operator} with {axis} on an input of rank {len(record.shape)}, which has no such axis",
        f"correct the axis, or the shape that the model states: {_shape(record)}",
        "error",
    )


def _batch_axis(seen: Seen, record: NodeRecord) -> Iterator[LintWarning]:
    if record.op_type not in NORMALISERS:
        return
    along, shape = record.works_along, record.shape
    if shape is None:
        over = record.axis_rule == "single" and along == (0,)
        batch = "dimension 0"
    else:
        symbolic = [
            axis
            for axis, size in enumerate(shape)
            if isinstance(size, str) and size in seen.batch_symbols and shape.count(size) == 1
        ]
        # Without a symbol that says where the batch is, it is dimension 0; a Scan's body sees none of it.
        batches = symbolic or ([] if seen.scope.in_scan or len(shape) < 2 else [0])
        found = [axis for axis in batches if axis in (along or ())]
        over = bool(found) and len(shape) > 1
        batch = f"dimension {found[0]}" if found else ""
        if found and shape[found[0]] is not None:
            batch += f" ({shape[found[0]]})"
    if over:
        yield seen.warning(
            "batch-axis",
            f"{record.operator} normalises over {batch}, the batch: "
            "the result for one example depends on the others beside it",
            "set axis to the dimension of the classes, usually -1; where the examples do lie along another "
            "dimension, leave it",
        )


def _after_softmax(seen: Seen, record: NodeRecord) -> Iterator[LintWarning]:
    if record.op_type not in _TAKES_LOGITS or not seen.node.input:
        return
    for made in sources(seen.scope, seen.node.input[0], _passes_on_or_requantizes):
        name = None if made is None else probabilities_from(made)
        if made is None or name is None:
            continue
        yield seen.warning(
            "softmax-after-softmax",
            f"{record.operator} takes for logits what {name} '{label_of(made.node)}' has normalised already: "
            "no probability it makes is more than e = 2.718 times another",
            "take one of the two out, and feed the other with the logits; at the end of a model `softops export "
            "strip` takes out the second",
        )
        return


def _half_accumulation(seen: Seen, record: NodeRecord) -> Iterator[LintWarning]:
    if record.dtype not in _HALVES or record.op_type not in _SUMS:
        return
    cure = "put a Cast to float32 before it and a Cast back after it"
    if record.op_type == "Attention":
        if integer(seen.node, "softmax_precision") in _WIDER:
            return
        cure = "set its attribute softmax_precision=1 (float32)"
    if record.op_type == "ReduceLogSumExp" and record.since_version >= 18:
        return  # its function body sums in double
    if record.op_type == "NegativeLogLikelihoodLoss" and record.detail == "reduction=none":
        return  # nothing is summed
    yield seen.warning(
        "half-accumulation",
        f"{record.operator} sums in {record.dtype} as far as ONNX says, where a sum of ones stops at "
        f"{_HALVES[record.dtype]}; whether a runtime takes float32 instead is its own choice",
        cure,
    )


def _log_of_probabilities(seen: Seen) -> Iterator[LintWarning]:
    for made in sources(seen.scope, seen.node.input[0]):
        if made is None or canonical_domain(made.node.domain) or made.output:
            continue
        name = f"{made.node.op_type} '{label_of(made.node)}'"
        if made.node.op_type == "Softmax":
            yield seen.warning(
                "log-of-softmax",
                f"Log of {name} is -inf wherever a probability is too small for the dtype: in float32 about 104 "
                "below the largest logit",
                "replace the two by LogSoftmax with the axis of the Softmax, which is finite there; `softops export "
                "fuse` does where nothing else reads the probabilities",
            )
        elif made.node.op_type == "Sigmoid":
            yield seen.warning(
                "log-of-sigmoid",
                f"Log of {name} is -inf wherever the sigmoid is too small for the dtype: in float32 below about "
                "-104, and in some runtimes below -88",
                "replace the two by Neg, Softplus, Neg: log(sigmoid(x)) = -softplus(-x), which is finite there",
            )
        else:
            continue
        return


def _passes_on_or_requantizes(scope: Scope, node: NodeProto) -> bool:
    return passes_on(scope, node) or node.op_type in {"QuantizeLinear", "DequantizeLinear"}


def _shape(record: NodeRecord) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in record.shape or ())}]"


def _list(axes: tuple[int, ...]) -> str:
    return f"{axes[0]} and {axes[1]}" if len(axes) == 2 else f"{axes[0]} to {axes[-1]}"


_OF_FAMILY: tuple[Callable[[Seen, NodeRecord], Iterator[LintWarning]], ...] = (
    _outside_rank,
    _flatten_rule,
    _batch_axis,
    _after_softmax,
    _half_accumulation,
)
