"""Read a model: every softmax-family node, and what a reader should be warned of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, NodeProto

from ..graph.checker import plainly_named
from ..graph.domains import newest_version
from ..graph.model import ModelSource, load_model
from ..graph.scopes import Scope
from .calls import Calls, label_of
from .declarations import contradicted, negative_length
from .family import NodeRecord, record_of
from .outputs import not_a_probability
from .rules import OF_FAMILY, OF_OTHERS
from .runtime import onnxruntime_version, too_new
from .validity import OF_SCOPES
from .warning import Finding, LintWarning, Seen

SCHEMA_VERSION = 1

OF_MODELS: dict[str, Callable[[ModelProto, Scope, str | None], Iterator[Finding]]] = {
    "not-a-probability": not_a_probability,
    "contradiction": contradicted,
    "negative-length": negative_length,
    "too-new": too_new,
}
"""What is asked about the model as a whole and the release it is meant for, by the code of the warning."""


@dataclass(frozen=True, kw_only=True)
class LintReport:
    """
    What `lint` found in a model.

    Attributes
    ----------
    ir_version, opsets
        Of the model; ai.onnx is ``""``.
    nodes
        A `NodeRecord` for each node of the softmax family, in the order of the graph, a subgraph or function
        right behind the node that runs it. A function that is called on other shapes or with other
        attributes has a record for each.
    warnings
        `LintWarning` objects: those about nodes in the order of `nodes`, then those about the model.
    notes
        What could not be known, and why.
    """

    ir_version: int
    opsets: Mapping[str, int]
    nodes: tuple[NodeRecord, ...]
    warnings: tuple[LintWarning, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """
        Return the report as JSON holds it, ``"schema_version"`` first.

        Keys are added without a new schema version; one that goes or changes its meaning raises it.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "ir_version": self.ir_version,
            "opsets": {domain or "ai.onnx": version for domain, version in self.opsets.items()},
            "nodes": [asdict(node) | {"domain": node.domain or "ai.onnx"} for node in self.nodes],
            "warnings": [asdict(warning) for warning in self.warnings],
            "notes": list(self.notes),
        }


def lint(model: ModelSource, *, for_runtime: str | None = None) -> LintReport:
    """
    Read a model: its softmax-family nodes, and warnings that name the cure.

    Looks into subgraphs and into the model's functions, once for each call. Types and shapes are those of
    onnx's shape inference; where it fails, the report says what could not be known. Nothing is run, and
    external data is not read. A batch that a Flatten or Reshape has merged with other dimensions is not
    recognised as one.

    ===================== ===================================================================
    code                  said of
    ===================== ===================================================================
    flatten-rule          Softmax, LogSoftmax or Hardmax below opset 13 over several dimensions
    batch-axis            one of them over the batch dimension
    single-element        one of them over a dimension of length 1
    softmax-after-softmax logits that are probabilities already
    log-of-softmax        Log where LogSoftmax is meant
    log-of-sigmoid        Log where Softplus is meant
    spelled-out           an operator of the family that is spelled out by others
    half-accumulation     float16 or bfloat16 where nothing asks for sums in float32
    no-kernel             a dtype that the installed onnxruntime cannot run on the CPU (error)
    not-a-probability     an output named like probabilities that nothing normalises
    invalid               an axis outside the rank, a value that nothing makes, nodes in a circle (errors);
                          nodes out of order
    duplicate-name        two nodes of a graph with one name, which onnxruntime refuses (error)
    contradiction         a value declared of another type, rank or length than its operator gives it (error)
    negative-length       a declared length below 0, taken here for an unknown one
    function-opset        a function whose opset reads an operator otherwise than the model's
    too-new               an opset or IR version that ``for_runtime`` does not read (error)
    ===================== ===================================================================

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``.
    for_runtime
        A release that the model is meant for, such as ``"onnxruntime==1.17"``.

    Returns
    -------
    LintReport

    Raises
    ------
    ModelError
        Not an ONNX model.
    OSError
        The file cannot be read.
    TypeError
        ``model`` is neither path, bytes nor ``ModelProto``.
    LookupError, ValueError
        ``for_runtime`` names no known release.

    Examples
    --------
    >>> from onnx import parser
    >>> model = parser.parse_model('''<ir_version: 7, opset_import: ["": 11]>
    ... net (float[N, 4, 8] x) => (float[N, 4, 8] y) { y = Softmax <axis = 1> (x) }''')
    >>> [warning.code for warning in lint(model).warnings]
    ['flatten-rule']
    """
    proto = load_model(model, external_data=False, any_functions=True)
    calls = Calls(plainly_named(proto))
    main, batch = calls.main, _batch_symbols(calls.main)
    # Two calls of a function that say the same are one: dictionaries keep the order and drop what is equal.
    nodes: dict[NodeRecord, None] = {}
    warnings: dict[LintWarning, None] = {}
    read: set[int] = set()
    for scope, node in calls:
        if id(scope) not in read:
            read.add(id(scope))
            for code, faults in OF_SCOPES.items():
                warnings |= {_warning(code, found): None for found in faults(scope, main.opsets)}
        record = record_of(scope, node)
        if record is not None:
            nodes[record] = None
        warnings |= dict.fromkeys(_about_node(Seen(scope, node, record, batch)))
    for code, question in OF_MODELS.items():
        warnings |= {_warning(code, found): None for found in question(proto, main, for_runtime)}
    return LintReport(
        ir_version=proto.ir_version,
        opsets=main.opsets,
        nodes=tuple(nodes),
        warnings=tuple(warnings),
        notes=(*_too_new_for_onnx(main.opsets), *calls.notes, *_not_known(nodes)),
    )


def _about_node(seen: Seen) -> Iterator[LintWarning]:
    here = (seen.scope, seen.node)
    if seen.record is not None:
        found = {code: rule(seen, seen.record) for code, rule in OF_FAMILY.items()}
    else:
        found = {code: rule(seen) for code, rule in OF_OTHERS.items()}
    yield from (_warning(code, finding, here) for code, finding in found.items() if finding is not None)


def _warning(code: str, finding: Finding, here: tuple[Scope, NodeProto] | None = None) -> LintWarning:
    scope, node = finding.at or here or (None, None)
    return LintWarning(
        code=code,
        severity=finding.severity,
        node=None if node is None else label_of(node),
        where=None if scope is None else scope.where,
        message=finding.message,
        cure=finding.cure,
    )


def _batch_symbols(main: Scope) -> frozenset[str]:
    """Symbols that name dimension 0 of an input, and no other dimension of any."""
    assert isinstance(main.body, GraphProto)
    inputs = [value.name for value in main.body.input if value.name not in main.constants]
    shapes = [main.value_type(name).shape or () for name in inputs]
    first = {shape[0] for shape in shapes if shape}
    later = {size for shape in shapes for size in shape[1:]}
    return frozenset(size for size in first - later if isinstance(size, str))


def _not_known(nodes: Iterable[NodeRecord]) -> Iterator[str]:
    names = [node.name for node in nodes if node.shape is None]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"the input shape of {', '.join(names[:3])}{more} could not be inferred"
    if onnxruntime_version() is None:
        yield "onnxruntime is not installed: which dtypes its kernels take was not looked at"


def _too_new_for_onnx(opsets: Mapping[str, int]) -> list[str]:
    """What to know of a model of the future: its operators are read by the newest text at hand."""
    return [
        f"onnx {onnx.__version__} knows {domain or 'ai.onnx'} up to {newest}, the model imports {version}: "
        f"it is read as of {newest}; upgrade onnx"
        for domain, version in opsets.items()
        if (newest := newest_version(domain)) is not None and version > newest
    ]
