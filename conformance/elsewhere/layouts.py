"""How cases lie in a folder: as .npz files of arrays by name, or as the test data that runtimes' harnesses read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..cases.build import built, material
from ..cases.case import Case, Material
from ..errors import check_choice
from ..verdicts.rules import RULES
from .saved_arrays import write_arrays
from .tensors import write_tensor

_NPZ_READ_ME = """Run every model on every one of its inputs-*.npz, and save the outputs beside them as outputs-*.npz.

index.json lists the cases: `model` is the ONNX file, `inputs` the arrays to feed by name, `outputs` the file to
write, a .npz of the outputs by name. Arrays lie in C order; bfloat16 stands as its bits in uint16, strings are
NumPy's own. In place of outputs-0.npz you may write outputs-0_0.pb, outputs-0_1.pb, ...: a serialized TensorProto
for each output of the model, in its order. What your runtime does not take, leave out. Then:

    softops conformance check THIS_FOLDER --name "my-runtime 1.0"
"""

_ONNX_READ_ME = """Each folder holds a model and its test data, as ONNX's own tests do and runtimes' harnesses read:
model.onnx, test_data_set_0/input_0.pb, ... and output_0.pb, ..., the exact values rounded once.

A harness compares by a tolerance of its own. To have outputs judged by derived bounds, save what your runtime gives
beside what was expected: actual_0.pb, actual_1.pb, ... in each test_data_set_*, a serialized TensorProto for each
output of the model, in its order, or actual.npz, the outputs by name (bfloat16 as its bits in uint16). index.json
lists the cases with their files. What your runtime does not take, leave out. Then:

    softops conformance check THIS_FOLDER --name "my-runtime 1.0"
"""


class Files(NamedTuple):
    """Where a case's inputs lie and its outputs belong, below the whole folder."""

    inputs: str | list[str]
    outputs: str


class Layout(NamedTuple):
    """How a case is made and written, which folders and cases there are, and what the reader is told."""

    made: Callable[[Case], Material]
    write: Callable[[Path, int, Material], Files]
    folder: str
    takes: Callable[[Case], bool]
    read_me: str


def layout_of(name: str) -> Layout:
    """Return a layout by its name; ValueError: there is none of that name."""
    check_choice("a layout", name, LAYOUTS)
    return LAYOUTS[name]


def _without_outputs(case: Case) -> Material:
    return Material(*built(case), {})


def _write_npz(folder: Path, number: int, made: Material) -> Files:
    write_arrays(folder / f"inputs-{number}.npz", made.feeds)
    return Files(f"{folder.name}/inputs-{number}.npz", f"{folder.name}/outputs-{number}.npz")


def _write_onnx(folder: Path, number: int, made: Material) -> Files:
    data = folder / f"test_data_set_{number}"
    data.mkdir()
    for kind, arrays in (("input", made.feeds), ("output", made.expected)):
        for place, (name, array) in enumerate(arrays.items()):
            write_tensor(data / f"{kind}_{place}.pb", name, array)
    below = f"{folder.name}/{data.name}"
    return Files([f"{below}/input_{place}.pb" for place in range(len(made.feeds))], f"{below}/actual.npz")


LAYOUTS = {
    "npz": Layout(_without_outputs, _write_npz, "{}", lambda case: True, _NPZ_READ_ME),
    # Samples have no one output that could be expected. The loader of onnx.backend.test wants folders named test_*.
    "onnx": Layout(material, _write_onnx, "test_{}", lambda case: not RULES[case.op].sampled, _ONNX_READ_ME),
}
"""By name."""
