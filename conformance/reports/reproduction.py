"""For each kind of failure a folder that shows it to whoever makes the runtime, without softops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset import operator
from softops.opset.graph.files import write_atomic

from ..cases.case import Case, Material
from ..runtimes.saved_arrays import write_arrays
from ..suite.report import SuiteReport
from ..verdicts.case_record import CaseRecord
from .suite_text import worst_table
from .summary import Kind

FILES = ("model.onnx", "inputs.npz", "expected.npz", "reproduce.py", "ISSUE.md")
"""What a folder holds."""

_SHOWN = 64
"""Arrays of no more elements are printed in the issue."""

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
found = runtime.prepare(onnx.load(here / "model.onnx")).run(list(inputs.values()))
"""
_ANY = """\
runtime, found = None, [...]  # the outputs of your runtime for here / "model.onnx" and these inputs
"""
_SCRIPT = '''\
"""{title} by {runtime} {version}; see ISSUE.md."""
{imports}
here = Path(__file__).parent
inputs, expected = (dict(np.load(here / name)) for name in ("inputs.npz", "expected.npz"))
{feeds}{run}outputs = dict(zip(expected, found, strict=True))
print({name!r}, getattr(runtime, "__version__", ""))
{show}
'''


def write_reproductions(
    report: SuiteReport,
    kinds: list[Kind],
    directory: Path,
    material: Callable[[Case], Material],
) -> list[str]:
    """
    Write a folder of `FILES` for each kind into ``directory``; return why some could not be built.

    Folders of an earlier report are taken away: those that hold nothing but such files.

    Raises
    ------
    OSError
        A folder cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    failed = []
    for kind in kinds:
        try:
            made = material(kind.smallest.case)
        except (ValueError, TypeError, LookupError) as error:
            failed.append(f"{kind.slug}: {error}")
            continue
        write_reproduction(report, kind, directory / kind.slug, made)
    kept = {kind.slug for kind in kinds}
    for old in directory.iterdir():
        if old.name not in kept and old.is_dir() and not old.is_symlink():
            inside = list(old.iterdir())
            if inside and all(path.name in FILES for path in inside):
                for path in inside:
                    path.unlink()
                old.rmdir()
    return failed


def write_reproduction(report: SuiteReport, kind: Kind, folder: Path, material: Material) -> None:
    """Write ``model.onnx``, ``inputs.npz``, ``expected.npz``, ``reproduce.py`` and ``ISSUE.md`` into ``folder``."""
    folder.mkdir(exist_ok=True)
    record = kind.smallest
    script = script_of(report, record, material)
    write_atomic(folder / "model.onnx", material.model)
    write_arrays(folder / "inputs.npz", material.feeds)
    write_arrays(folder / "expected.npz", material.expected)
    write_atomic(folder / "reproduce.py", script.encode())
    write_atomic(folder / "ISSUE.md", _issue(report, kind, material, script).encode())


def script_of(report: SuiteReport, record: CaseRecord, material: Material) -> str:
    """Return the script: it runs the model on the inputs, and prints the element that is worst."""
    name, _, options = report.runtime.partition(":")
    halves = [key for key, x in material.feeds.items() if x.dtype == ml_dtypes.bfloat16]
    wide = [key for key, y in material.expected.items() if y.dtype == ml_dtypes.bfloat16]
    imports = ["from pathlib import Path", "import numpy as np"]
    feeds = ""
    if any(not x.flags.c_contiguous for x in material.feeds.values() if x.ndim):
        feeds += "inputs = {name: np.repeat(x, 2, -1)[..., ::2] for name, x in inputs.items()}  # strided\n"
    if name == "openvino":
        for key in halves:
            made = f'runtime.Tensor(inputs["{key}"], inputs["{key}"].shape, runtime.Type.bf16)'
            feeds += f'inputs["{key}"] = {made}\n'
    elif name == "onnxruntime":
        imports[:0] = ["import ctypes"] if halves or wide else []
    else:
        feeds += "".join(f'inputs["{key}"] = inputs["{key}"].view(ml_dtypes.bfloat16)\n' for key in halves)
        feeds += "".join(f'expected["{key}"] = expected["{key}"].view(ml_dtypes.bfloat16)\n' for key in wide)
        imports += ["import ml_dtypes"] if halves or wide else []
    more, run = _runner(name, options, record, halves=bool(halves or wide))
    real = "".join(_REAL.format(key) for key in wide) if name in ("onnxruntime", "openvino") else ""
    worst = record.worst
    show = "print({name: (expected[name].shape, y.shape, y.dtype) for name, y in outputs.items()})"
    if worst is not None:
        place = f'"{worst.output}"][{", ".join(map(str, worst.index)) or "()"}]'
        show = (
            f'print("expected", expected[{place}, "got", np.asarray(outputs[{place.replace("][", "])[", 1)})'
        )
    return _SCRIPT.format(
        title=f"{record.op}-{record.opset} in {record.dtype}: {record.outcome}",
        runtime=name,
        version=report.runtime_version,
        imports="\n".join([*imports, *more]),
        feeds=feeds,
        run=run,
        name=name,
        show=real + show,
    )


def _runner(name: str, options: str, record: CaseRecord, *, halves: bool) -> tuple[list[str], str]:
    """Return the imports of a runtime, and the lines that run the model."""
    asked = dict(part.partition("=")[::2] for part in (*options.split(","), record.setting) if part)
    if name == "onnxruntime":
        lines = []
        if "level" in asked:
            level = {"disabled": "DISABLE_ALL"}.get(asked["level"], f"ENABLE_{asked['level'].upper()}")
            lines.append(f"options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_{level}\n")
        if "threads" in asked:
            lines.append(f"options.intra_op_num_threads = {asked['threads']}\n")
        made = "".join(["options = runtime.SessionOptions()\n", *lines]) if lines else ""
        script = _ONNXRUNTIME_BFLOAT16 if halves else _ONNXRUNTIME
        return ["import onnxruntime as runtime"], script.format(
            options=made, given="options, " if lines else ""
        )
    if name == "openvino":
        hints = []
        if "precision" in asked:
            hints.append(f'"INFERENCE_PRECISION_HINT": "{asked["precision"]}"')
        if "threads" in asked:
            hints.append(f'"INFERENCE_NUM_THREADS": {asked["threads"]}')
        given = f", {{{', '.join(hints)}}}" if hints else ""
        return ["import openvino as runtime"], _OPENVINO.format(given=given)
    if name == "onnx.reference":
        return ["import onnx as runtime", "from onnx.reference import ReferenceEvaluator"], _REFERENCE
    module = "softops.opset.backend" if name == "softops" else options if name == "backend" else ""
    if module and module.replace(".", "").isidentifier():
        return ["import onnx", f"import {module} as runtime"], _BACKEND
    return [], _ANY


def _issue(report: SuiteReport, kind: Kind, material: Material, script: str) -> str:
    record = kind.smallest
    row = operator(record.op, record.opset, record.domain)
    spread = "\n".join(f"- {name}: {', '.join(values)}" for name, values in kind.spread().items())
    known = f"\nKnown: {record.known}\n" if record.known else ""
    worst = f"\n{worst_table(record)}\n" if record.worst else ""
    model = onnx.printer.to_text(onnx.load_from_string(material.model))
    failed = "\n".join(f"- {c.name}: {' '.join(c.message.split())}" for c in record.checks if not c.passed)
    what = failed or f"- {record.outcome}: {' '.join(record.message.split())}"
    return f"""# {row.name} in {record.dtype}: {record.outcome} in {report.runtime} {report.runtime_version}
{known}
## What happens

{what}
{worst}
`exact` is the result in extended precision, `expected` the same rounded once to the dtype.
What the operator is to give: {row.schema_url}

## To reproduce

The files `model.onnx`, `inputs.npz` and `expected.npz` beside this one, and:

```python
{script.rstrip()}
```

The model:

```
{model.strip()}
```

{_arrays("Inputs", material.feeds)}

{_arrays("Expected", material.expected)}

## Where it was seen

In {len(kind.records):,} cases of a conformance run on {report.platform or "an unnamed system"}; this is the smallest.

{spread}
"""


def _arrays(title: str, arrays: dict[str, NDArray[Any]]) -> str:
    lines = []
    for name, x in arrays.items():
        shape = f"`{name}`: {x.dtype} {list(x.shape)}"
        short = x.size <= _SHOWN
        lines.append(f"- {shape}" + (f": `{np.asarray(x).tolist()}`" if short else ""))
    return f"{title}:\n\n" + "\n".join(lines)
