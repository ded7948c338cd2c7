"""What runtimes cannot do: dtypes that onnxruntime has no kernel for, versions that a release cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import onnx

from ..errors import one_line, raise_interrupt
from ..graph.domains import canonical_domain, ir_version_for, opset_versions
from ..graph.scopes import Scope
from ..graph.types import ValueType, value_info
from ..operators.table import operators
from ..runtimes.kernels import onnxruntime_dtypes
from ..runtimes.releases import Readable, readable_by
from .family import NodeRecord
from .warning import Finding, Seen

# Of ai.onnx, where a model of other domains alone names none; every onnxruntime since 1.6 reads it.
_ANY_OPSET = 13
_OLDEST_OPSET = 7


def onnxruntime_version() -> str | None:
    """The version of the installed onnxruntime; None where there is none."""
    try:
        import onnxruntime
    except ImportError as error:
        raise_interrupt(error)
        return None
    return str(onnxruntime.__version__)


def no_kernel(seen: Seen, record: NodeRecord) -> Finding | None:
    """
    Ask the installed onnxruntime whether its CPU runs the node, by a model of that node alone.

    The list of its kernels would not do: where one is missing it may put casts around the node, or run the
    function body of the operator instead.
    """
    version = onnxruntime_version()
    types = {name: seen.scope.value_type(name) for name in seen.node.input if name}
    if version is None or any(given.dtype is None for given in types.values()):
        return None
    reason = _refusal(_alone(seen, types).SerializeToString(deterministic=True))
    if reason is None:
        return None
    wider = "int64" if str(record.dtype).startswith(("int", "uint")) else "float32"
    cure = f"put a Cast to {wider} before it and a Cast back after it"
    if record.dtype == wider:
        cure = _newer(record) or "compute it by other operators"
    return Finding(
        f"onnxruntime {version} cannot run {record.operator} on {record.dtype} on the CPU ({reason})",
        cure,
        "error",
    )


def _newer(record: NodeRecord) -> str | None:
    """The cure by a later version of the operator that has a kernel for the dtype, if there is one."""
    later = (
        row.since_version
        for row in operators()
        if (row.domain, row.op_type) == (record.domain, record.op_type)
        and row.since_version > record.opset
        and record.dtype in (onnxruntime_dtypes(row) or ())
    )
    version = next(later, None)
    if record.domain or version is None:
        return None
    return f"use `softops convert --opset {max(version, _OLDEST_OPSET)}`"


def too_new(model: onnx.ModelProto, main: Scope, release: str | None) -> Iterator[Finding]:
    """Opset and IR version of the model, where they are newer than a release of a runtime reads."""
    if release is None:
        return
    readable = readable_by(release)
    opsets = opset_versions(model.opset_import)
    limits = {"": readable.opset, "ai.onnx.ml": readable.ml_opset}
    newer = [
        (domain or "ai.onnx", opsets[domain], limit)
        for domain, limit in limits.items()
        if opsets.get(domain, 0) > limit
    ]
    said = [f"{domain} {version} (it reads up to {limit})" for domain, version, limit in newer]
    cures = [
        f"`softops convert --opset {limit}`" if domain == "ai.onnx" else f"export with {domain} {limit}"
        for domain, _, limit in newer
    ]
    if model.ir_version > readable.ir_version:
        said.append(f"IR version {model.ir_version} (it reads up to {readable.ir_version})")
        if not _conversion_lowers_ir(opsets, readable):
            cures.append(f"set model.ir_version = {readable.ir_version}")
    if said:
        yield Finding(
            f"{release} cannot read the model: {', '.join(said)}",
            f"{' and '.join(cures)}, or use a newer release",
            "error",
        )


def _conversion_lowers_ir(opsets: Mapping[str, int], readable: Readable) -> bool:
    """Whether the conversion to the newest opset that a release reads leaves an IR version that it reads, too."""
    target = onnx.helper.make_opsetid("", readable.opset)
    fits = ir_version_for([target]) <= readable.ir_version
    return opsets.get("", 0) > readable.opset and bool(fits)


def _alone(seen: Seen, types: dict[str, ValueType]) -> onnx.ModelProto:
    """A model of the node alone; of the shapes only the ranks, which decide the function body of some operators."""
    node = onnx.NodeProto()
    node.CopyFrom(seen.node)
    node.name = ""
    names = {name: f"x{position}" for position, name in enumerate(types)}
    for position, name in enumerate(node.input):
        node.input[position] = names.get(name, "")
    for position, name in enumerate(node.output):
        node.output[position] = f"y{position}" if name else ""
    graph = onnx.GraphProto(name="node", node=[node])
    for name, (dtype, shape) in types.items():
        free = None if shape is None else (None,) * len(shape)
        graph.input.append(value_info(names[name], ValueType(dtype, free)))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
    imports = [onnx.helper.make_opsetid("", seen.scope.opsets.get("", _ANY_OPSET))]
    domain = canonical_domain(node.domain)
    if domain:
        imports.append(onnx.helper.make_opsetid(domain, seen.scope.opsets[domain]))
    ir_version = ir_version_for(imports[:1])
    return onnx.ModelProto(ir_version=ir_version, opset_import=imports, graph=graph)


@lru_cache(maxsize=512)
def _refusal(model: bytes) -> str | None:
    """Why onnxruntime cannot run a model for want of a kernel, None where it can or something else is wrong."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except state.NotImplemented as error:
        return one_line(error).split(" : ")[-1].replace(" node with name ''", "")
    except state.InvalidGraph as error:
        said = one_line(error)
        return "ONNX does not allow that dtype at that version" if "Type Error: Type" in said else None
    except Exception:  # whatever else: not for want of a kernel
        return None
    return None
