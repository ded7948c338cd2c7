"""``python -m tools.models_one MODEL``: one model validated in this process, and what it took, as a line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

from softops.conformance import compare_runtimes
from softops.opset.graph.domains import imported_opset
from softops.opset.graph.walk import bodies_in

_SHOWN = 5


def examined(path: Path, runtime: str) -> dict[str, Any]:
    """Validate a model; an .npz file of the same name beside it has its inputs."""
    start = time.perf_counter()
    given = path.with_suffix(".npz")
    try:
        found = compare_runtimes(path, [runtime], given if given.exists() else None)
        report = found.reports[0] if found.reports else None
        verdict = "not run" if report is None else report.verdict
        said = (
            list(found.not_run.values())
            if report is None
            else [
                *report.failures,
                *(report.notes if report.verdict == "wrong" else ()),
                *report.unsettled,
                *report.known,
                *report.caveats,
            ]
        )
        shapes = {} if report is None else {name: list(shape) for name, (_, shape) in report.inputs.items()}
    except (ValueError, TypeError, LookupError, OSError) as error:
        verdict, said, shapes = "not run", [str(error)], {}
    return {
        "verdict": verdict,
        "said": said,
        "shapes": shapes,
        "seconds": time.perf_counter() - start,
        "bytes": peak(),
    }


def peak() -> int:
    """How many bytes of memory this process has had at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands the peak of the process that started it on to getrusage.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def holds(path: Path) -> str:
    """Say what a model holds: its opset, how many nodes, and the operators that are there most often."""
    model = onnx.load(path, load_external_data=False)
    bodies = [body for root in (model.graph, *model.functions) for body in bodies_in(root)]
    counted = Counter(node.op_type for body in bodies for node in body.node if node.op_type != "Constant")
    listed = ", ".join(f"{count} {name}" for name, count in counted.most_common(_SHOWN))
    more = ", …" if len(counted) > _SHOWN else ""
    return f"opset {imported_opset(model) or 1}, {counted.total()} nodes: {listed}{more}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(examined(Path(sys.argv[1]), sys.argv[2])))
