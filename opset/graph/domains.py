"""Versions: of domains, as a model imports them and as the installed onnx knows them; of the IR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import onnx

DOMAINS = ("", "ai.onnx")
"""The two names of the domain of ONNX's own operators."""


IR_WITH_OPSETS = 3
"""From this IR version on a model says which opsets it imports; before there was opset 1 alone."""

IR_WITH_PLAIN_INITIALIZERS = 4
"""Before this IR version an initializer is the default of an input, and has to be listed as one."""


def canonical_domain(domain: str) -> str:
    """Give ai.onnx, which has two names, the one that the table and the schemas use."""
    return "" if domain in DOMAINS else domain


def opset_versions(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Version by domain, ai.onnx as ``""``."""
    return {canonical_domain(entry.domain): entry.version for entry in imports}


def imported_opset(holder: onnx.ModelProto | onnx.FunctionProto) -> int | None:
    """The version of ai.onnx that a model or function imports; None where it imports none."""
    return next((entry.version for entry in holder.opset_import if entry.domain in DOMAINS), None)


_NEWEST_ASKED_FOR = 2**31 - 1
"""A file may import versions that onnx, which counts in 32 bits, cannot be asked for."""


@cache
def newest_version(domain: str) -> int | None:
    """The newest version of a domain that the installed onnx knows; None where it knows no such domain."""
    if domain == "":
        return int(onnx.defs.onnx_opset_version())
    known = [schema.since_version for schema in onnx.defs.get_all_schemas() if schema.domain == domain]
    return max(known, default=None)


def ir_version_for(imports: Sequence[onnx.OperatorSetIdProto]) -> int:
    """
    The lowest IR version that goes with opsets: the one that was current when the newest of them was released.

    Some releases of onnx know a newer opset than their table of releases has: the newest IR version goes with it.
    """
    table = onnx.helper.VERSION_TABLE
    newest, newest_ir = max((row[2], row[1]) for row in table)
    known = [entry for entry in imports if entry.domain not in DOMAINS or entry.version <= newest]
    later = any(entry.domain in DOMAINS and entry.version > newest for entry in imports)
    lowest = int(onnx.helper.find_min_ir_version_for(known, ignore_unknown=True))
    return max(lowest, newest_ir) if later else lowest


def schema_of(op_type: str, version: int, domain: str) -> onnx.defs.OpSchema | None:
    """What ONNX says of an operator at a version of its domain; None where it has none by that name."""
    version = min(max(version, 0), _NEWEST_ASKED_FOR)
    if not onnx.defs.has(op_type, version, domain):
        return None
    return onnx.defs.get_schema(op_type, version, domain)


def is_of_onnx(node: onnx.NodeProto, version: int) -> bool:
    """Whether ONNX has an operator of the node's name at that version of its domain."""
    return schema_of(node.op_type, version, canonical_domain(node.domain)) is not None
