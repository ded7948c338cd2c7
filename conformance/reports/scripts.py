"""
The script of a reproduction: it runs the model with nothing but the runtime, and prints the worst element.

A runtime has its script in `SCRIPTS`. One of the user's own is imported from where it came; where that is not known,
what runs the model is left to be filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import ml_dtypes

from ..adapters.scripts import SCRIPTS as OF_ADAPTERS
from ..cases.case import Material
from ..verdicts.record import CaseRecord
from ..verdicts.suite_record import SuiteRecord

_ONNXRUNTIME = """\
{options}session = runtime.InferenceSession(here / "model.onnx", {given}providers=["CPUExecutionProvider"])
found = session.run(None, inputs)
"""
_ONNXRUNTIME_BFLOAT16 = """\
{options}session = runtime.InferenceSession(here / "model.onnx", {given}providers=["CPUExecutionProvider"])
kinds = {{node.name: node.type for node in session.get_inputs()}}
make = runtime.OrtValue.ortvalue_from_numpy_with_onnx_type
values = {{
    name: make(x, 16) if kinds[name] == "tensor(bfloat16)" else runtime.OrtValue.ortvalue_from_numpy(x)
    for name, x in inputs.items()
}}
values = session.run_with_ort_values(None, values)
found = [  # the bits, as expected.npz holds them
    np.frombuffer(ctypes.string_at(v.data_ptr(), y.nbytes), y.dtype).reshape(y.shape)
    for v, y in zip(values, expected.values(), strict=True)
]
"""
_OPENVINO = """\
result = runtime.compile_model(here / "model.onnx", "CPU"{given})(inputs)
found = [result[i] for i in range(len(expected))]
"""
_REAL = """\
expected["{0}"], outputs["{0}"] = (  # NumPy has no bfloat16
    (y.view(np.uint16).astype(np.uint32) << 16).view(np.float32) for y in (expected["{0}"], outputs["{0}"])
)
"""
_REFERENCE = """\
found = ReferenceEvaluator(str(here / "model.onnx")).run(None, inputs)
"""
_BACKEND = """\
found = runtime.prepare(onnx.load(here / "model.onnx"), "CPU").run(list(inputs.values()))
"""
_OWN = """\
found = runtime.run((here / "model.onnx").read_bytes(), inputs)
"""
_ANY = """\
runtime, found = None, [...]  # the outputs of your runtime for here / "model.onnx" and these inputs
"""
_STRIDED = "inputs = {name: np.repeat(x, 2, -1)[..., ::2] for name, x in inputs.items()}  # strided\n"
_SCRIPT = '''\
"""{title} by {runtime} {version}; see ISSUE.md."""
{imports}
here = Path(__file__).parent
inputs, expected = (dict(np.load(here / name)) for name in ("inputs.npz", "expected.npz"))
{feeds}{run}outputs = dict(zip(expected, found, strict=True))
print({name!r}, getattr(runtime, "__version__", ""))
{show}
'''


_HINTS = ("f32", "f16", "bf16")
"""The precisions that OpenVINO can be asked for by name."""


class Asked(NamedTuple):
    """What the runtime was made with and comes from, and the names of inputs and expected outputs in bfloat16."""

    options: str
    entry: tuple[str, ...]
    settings: dict[str, str]
    inputs: list[str]
    outputs: list[str]


class Parts(NamedTuple):
    """Lines that run the model, imports behind and before the common ones, lines before the run and after it."""

    run: str
    imports: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    arrays: str = ""
    after: str = ""


def script_of(report: SuiteRecord, record: CaseRecord, material: Material) -> str:
    """Return the script for a case."""
    name, _, options = report.runtime.partition(":")
    settings = dict(part.partition("=")[::2] for part in (*options.split(","), record.setting) if part)
    halves = [
        [key for key, x in arrays.items() if x.dtype == ml_dtypes.bfloat16]
        for arrays in (material.feeds, material.expected)
    ]
    if record.computes_in in _HINTS:
        settings.setdefault("precision", record.computes_in)  # what another processor would not choose
    parts = SCRIPTS.get(name, _of_ones_own)(Asked(options, report.entry, settings, *halves))
    strided = any(not x.flags.c_contiguous for x in material.feeds.values() if x.ndim)
    worst = record.worst
    show = "print({name: (expected[name].shape, y.shape, y.dtype) for name, y in outputs.items()})"
    if worst is not None:
        place = ", ".join(map(str, worst.index)) or "()"
        expected, got = (
            f'expected["{worst.output}"][{place}]',
            f'np.asarray(outputs["{worst.output}"])[{place}]',
        )
        show = f'print("expected", {expected}, "got", {got})'
    return _SCRIPT.format(
        title=f"{record.op}-{record.opset} in {record.dtype}: {record.outcome}",
        runtime=name,
        version=report.runtime_version,
        imports="\n".join([*parts.first, "from pathlib import Path", "import numpy as np", *parts.imports]),
        feeds=(_STRIDED if strided else "") + parts.arrays,
        run=parts.run,
        name=name,
        show=parts.after + show,
    )


def _onnxruntime(asked: Asked) -> Parts:
    lines = []
    if level := asked.settings.get("level"):
        name = {"disabled": "DISABLE_ALL"}.get(level, f"ENABLE_{level.upper()}")
        lines.append(f"options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_{name}\n")
    if "threads" in asked.settings:
        lines.append(f"options.intra_op_num_threads = {asked.settings['threads']}\n")
    made = "".join(["options = runtime.SessionOptions()\n", *lines]) if lines else ""
    halves = asked.inputs or asked.outputs
    run = (_ONNXRUNTIME_BFLOAT16 if halves else _ONNXRUNTIME).format(
        options=made, given="options, " if lines else ""
    )
    first = ("import ctypes",) if halves else ()
    return Parts(run, ("import onnxruntime as runtime",), first, after=_real(asked))


def _openvino(asked: Asked) -> Parts:
    hints = []
    if "precision" in asked.settings:
        hints.append(f'"INFERENCE_PRECISION_HINT": "{asked.settings["precision"]}"')
    if "threads" in asked.settings:
        hints.append(f'"INFERENCE_NUM_THREADS": {asked.settings["threads"]}')
    given = f", {{{', '.join(hints)}}}" if hints else ""
    tensors = [
        f'runtime.Tensor(inputs["{key}"], inputs["{key}"].shape, runtime.Type.bf16)' for key in asked.inputs
    ]
    arrays = "".join(f'inputs["{key}"] = {made}\n' for key, made in zip(asked.inputs, tensors, strict=True))
    run = _OPENVINO.format(given=given)
    return Parts(run, ("import openvino as runtime",), arrays=arrays, after=_real(asked))


def _reference(asked: Asked) -> Parts:
    return _by_views(
        asked, _REFERENCE, "import onnx as runtime", "from onnx.reference import ReferenceEvaluator"
    )


def _backend(asked: Asked) -> Parts:
    module, expression, folder = asked.entry or (*asked.options.partition(":")[::2], "")
    if not f"{module}{expression}".replace(".", "").isidentifier():
        return _to_be_filled_in(asked)
    return _by_views(asked, _BACKEND, "import onnx", *_imports(module, expression, folder))


def _of_ones_own(asked: Asked) -> Parts:
    if not asked.entry:
        return _to_be_filled_in(asked)
    return _by_views(asked, _OWN, *_imports(*asked.entry))


def _imports(module: str, expression: str, folder: str) -> tuple[str, ...]:
    """Return the lines that make ``runtime``."""
    path = ("import sys", f"sys.path.insert(0, {folder!r})  # where it was found") if folder else ()
    if not expression:
        return (*path, f"import {module} as runtime")
    name = expression.partition("(")[0].partition(".")[0]
    made = f"runtime = {expression}" + ("  # or as you make it" if expression.endswith("()") else "")
    return (*path, f"from {module} import {name}", made)


def _of_adapter(asked: Asked, name: str) -> Parts:
    run, *imports = OF_ADAPTERS[name]
    return _by_views(asked, run, *imports)


def _to_be_filled_in(asked: Asked) -> Parts:
    return _by_views(asked, _ANY)


def _by_views(asked: Asked, run: str, *imports: str) -> Parts:
    """Return the parts where the runtime takes and gives arrays of bfloat16."""
    arrays = "".join(
        f'{name}["{key}"] = {name}["{key}"].view(ml_dtypes.bfloat16)\n'
        for name, keys in (("inputs", asked.inputs), ("expected", asked.outputs))
        for key in keys
    )
    return Parts(run, (*(["import ml_dtypes"] if arrays else []), *imports), arrays=arrays)


def _real(asked: Asked) -> str:
    return "".join(_REAL.format(key) for key in asked.outputs)


SCRIPTS: dict[str, Callable[[Asked], Parts]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "onnx.reference": _reference,
    "softops": lambda asked: _backend(asked._replace(options="softops.opset.backend", entry=())),
    "backend": _backend,
    **{name: partial(_of_adapter, name=name) for name in OF_ADAPTERS},
}
"""By runtime."""

WITHOUT_SCRIPT = ("torch", "jax", "cmd", "saved")
"""Runtimes that do not run a model by themselves, or not here."""
