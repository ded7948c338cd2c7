"""Which dtypes onnxruntime's CPU has a kernel for, as far as it can be asked."""

from __future__ import annotations

from functools import cache

from ..errors import raise_interrupt
from ..operators.row import Operator

_DTYPES = {"float": "float32", "double": "float64"}


def onnxruntime_dtypes(row: Operator) -> tuple[str, ...] | None:
    """
    Return the dtypes of a row's first input that onnxruntime's CPU has kernels for at that version.

    Others it may run by way of a cast, or of the operator's function body. None means that it cannot be
    asked: it is not installed, or built without the list of its kernels.
    """
    kernels = _cpu_kernels()
    if kernels is None:
        return None
    variable = row.inputs[0].type
    found: set[str] = set()
    for first, last, constraints in kernels.get((row.domain, row.op_type), ()):
        if first <= row.since_version <= last:
            found.update(constraints.get(variable, ()))
    return tuple(name for name in row.dtypes if name in found)


_Kernel = tuple[int, int, dict[str, tuple[str, ...]]]


@cache
def _cpu_kernels() -> dict[tuple[str, str], list[_Kernel]] | None:
    """(first version, last version, dtypes by type variable) of every kernel, by domain and operator."""
    try:
        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def
    except ImportError as error:
        raise_interrupt(error)
        return None
    kernels: dict[tuple[str, str], list[_Kernel]] = {}
    for kernel in get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            constraints = {
                variable: tuple(map(_dtype_name, types))
                for variable, types in kernel.type_constraints.items()
            }
            entry = (*kernel.version_range, constraints)
            kernels.setdefault((kernel.domain, kernel.op_name), []).append(entry)
    return kernels


def _dtype_name(type_str: str) -> str:
    name = type_str.removeprefix("tensor(").removesuffix(")")
    return _DTYPES.get(name, name)
