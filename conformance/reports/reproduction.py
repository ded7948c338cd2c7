"""For each kind of failure a folder that shows it to whoever makes the runtime, without softops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from softops.opset import operator
from softops.opset.graph.files import write_atomic

from ..cases.build import material
from ..cases.case import Material
from ..elsewhere.saved_arrays import write_arrays
from ..measure.precision import heading
from ..verdicts.suite_record import SuiteRecord
from .files import write_text
from .scripts import script_of
from .suite_markdown import worst_table
from .summary import Kind, kinds

FILES = ("model.onnx", "inputs.npz", "expected.npz", "reproduce.py", "ISSUE.md")
"""What a folder holds."""

_SHOWN = 64
"""Arrays of no more elements are printed in the issue."""


def write_reproductions(report: SuiteRecord, directory: Path) -> None:
    """
    Write a folder of `FILES` for each kind of failure into ``directory``, as far as its case can be built.

    Folders of an earlier report are taken away: those that hold nothing but such files.
    """
    directory.mkdir(parents=True, exist_ok=True)
    failures = kinds(report)
    for kind in failures:
        try:
            made = material(kind.smallest.case)
        except (ValueError, TypeError, LookupError):  # a case of another version of the suite
            continue
        write_reproduction(report, kind, directory / kind.slug, made)
    kept = {kind.slug for kind in failures}
    for old in directory.iterdir():
        if old.name not in kept and old.is_dir() and not old.is_symlink():
            inside = list(old.iterdir())
            if inside and all(path.name in FILES for path in inside):
                for path in inside:
                    path.unlink()
                old.rmdir()


def write_reproduction(report: SuiteRecord, kind: Kind, folder: Path, made: Material) -> None:
    """Write ``model.onnx``, ``inputs.npz``, ``expected.npz``, ``reproduce.py`` and ``ISSUE.md`` into ``folder``."""
    folder.mkdir(exist_ok=True)
    script = script_of(report, kind.smallest, made)
    write_atomic(folder / "model.onnx", made.model)
    write_arrays(folder / "inputs.npz", made.feeds)
    write_arrays(folder / "expected.npz", made.expected)
    write_text(folder / "reproduce.py", script)
    write_text(folder / "ISSUE.md", _issue(report, kind, made, script))


def _issue(report: SuiteRecord, kind: Kind, material: Material, script: str) -> str:
    record = kind.smallest
    row = operator(record.op, record.opset, record.domain)
    spread = "\n".join(f"- {name}: {', '.join(values)}" for name, values in kind.spread().items())
    known = f"\nKnown: {record.known}\n" if record.known else ""
    worst = f"\n{worst_table(record)}\n" if record.worst else ""
    model = onnx.printer.to_text(onnx.load_from_string(material.model))
    failed = "\n".join(f"- {c.name}: {' '.join(c.message.split())}" for c in record.checks if not c.passed)
    what = failed or f"- {record.outcome}: {' '.join(record.message.split())}"
    if record.detail:
        what = f"{what}\n\nAll that it said:\n\n```\n{record.detail}\n```"
    where = heading(report.runtime, report.runtime_version, [record.computes_in], [record.runs_on])
    return f"""# {row.name} in {record.dtype}: {record.outcome} in {where}
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
