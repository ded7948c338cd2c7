"""Read a model: every softmax-family node, and what a reader should be warned of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import onnx
from onnx import ModelProto

from ..graph.checker import plainly_named
from ..graph.domains import newest_version
from ..graph.model import ModelSource, load_model
from ..graph.scopes import Scope, Scopes
from .family import NodeRecord, record_of
from .outputs import output_warnings
from .rules import LintWarning, Seen, node_warnings
from .runtime import Kernels, version_warnings
from .validity import validity_warnings

SCHEMA_VERSION = 1


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
    softmax-after-softmax logits that are probabilities already
    log-of-softmax        Log where LogSoftmax is meant
    log-of-sigmoid        Log where Softplus is meant
    half-accumulation     float16 or bfloat16 where nothing asks for sums in float32
    no-kernel             a dtype that the installed onnxruntime cannot run on the CPU (error)
    not-a-probability     an output named like probabilities that nothing normalises
    invalid               an axis outside the rank, a value that nothing makes, nodes in a circle (errors);
                          nodes out of order
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
    """
    proto = load_model(model, external_data=False)
    late = [] if for_runtime is None else list(version_warnings(proto, for_runtime))
    return _report(proto, late)


def _report(proto: ModelProto, late: list[LintWarning]) -> LintReport:
    scopes = Scopes(plainly_named(proto))
    kernels = Kernels()
    batch = _batch_symbols(scopes.main)
    # Two calls of a function that say the same are one: dictionaries keep the order and drop what is equal.
    nodes: dict[NodeRecord, None] = {}
    warnings: dict[LintWarning, None] = {}
    read: set[int] = set()
    for scope, node in scopes:
        if id(scope) not in read:
            read.add(id(scope))
            warnings.update(dict.fromkeys(validity_warnings(scope, scopes.main.opsets)))
        seen = Seen(scope, node, record_of(scope, node), batch)
        if seen.record is not None:
            nodes[seen.record] = None
        warnings.update(dict.fromkeys(node_warnings(seen)))
        warnings.update(dict.fromkeys(kernels.warnings(seen)))
    warnings.update(dict.fromkeys([*output_warnings(scopes.main, proto.graph), *late]))
    return LintReport(
        ir_version=proto.ir_version,
        opsets=scopes.main.opsets,
        nodes=tuple(nodes),
        warnings=tuple(warnings),
        notes=(*_too_new_for_onnx(scopes.main.opsets), *scopes.notes, *_unknown(nodes), *kernels.notes),
    )


def _batch_symbols(main: Scope) -> frozenset[str]:
    """Symbols that name dimension 0 of an input, and no other dimension of any."""
    shapes = [
        main.types[value.name].shape or () for value in main.graph.input if value.name not in main.constants
    ]
    first = {shape[0] for shape in shapes if shape}
    later = {size for shape in shapes for size in shape[1:]}
    return frozenset(size for size in first - later if isinstance(size, str))


def _unknown(nodes: Iterable[NodeRecord]) -> list[str]:
    shapeless = [node.name for node in nodes if node.shape is None]
    return [f"the input shape of {_some(shapeless)} could not be inferred"] if shapeless else []


def _too_new_for_onnx(opsets: Mapping[str, int]) -> list[str]:
    """What to know of a model of the future: its operators are read by the newest text at hand."""
    return [
        f"onnx {onnx.__version__} knows {domain or 'ai.onnx'} up to {newest}, the model imports {version}: "
        f"it is read as of {newest}; upgrade onnx"
        for domain, version in opsets.items()
        if (newest := newest_version(domain)) is not None and version > newest
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
