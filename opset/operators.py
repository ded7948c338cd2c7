"""
The table: one row for each operator and each version at which ONNX changed it.

The row for a model is the one with the largest ``since_version`` that is not above the opset the model
(or the function within it) imports for the operator's domain.
"""

from __future__ import annotations

import difflib
import operator as _python_operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import kernels, reference
from .axis import AxisRule, along
from .errors import UnknownOperatorError, UnknownOpsetError

_CHANGELOG = "https://github.com/onnx/onnx/blob/main/docs/Changelog.md"

_FLOATS = ("float16", "float32", "float64")
_FLOATS_AND_BFLOAT16 = ("bfloat16", *_FLOATS)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """
    One operator of ONNX at one version.

    Attributes
    ----------
    op_type, domain, since_version
        Its name in a model; the domain of ai.onnx is ``""``.
    axis_rule
        ``"flatten"``, ``"single"`` (see `softops.opset.axis`) or None for an elementwise operator.
    default_axis
        The axis of a node that names none, or None for an elementwise operator.
    dtypes
        Names of the dtypes that ONNX allows.
    kernel, reference
        Functions of (array, axis), or of (array) for an elementwise operator, that work along one axis:
        the fast one, which keeps the dtype, and the exact one, which also takes ``dtype=``.
    schema_url
        The text this row was read off.
    """

    op_type: str
    domain: str = ""
    since_version: int
    axis_rule: AxisRule | None = None
    default_axis: int | None = None
    dtypes: tuple[str, ...]
    kernel: Callable[..., NDArray[Any]]
    reference: Callable[..., NDArray[Any]]

    @property
    def name(self) -> str:
        """Name and version, such as ``Softmax-13``."""
        prefix = f"{self.domain}." if self.domain else ""
        return f"{prefix}{self.op_type}-{self.since_version}"

    @property
    def schema_url(self) -> str:
        """Address of the operator's text at this version."""
        return f"{_CHANGELOG}#{self.name}"

    def compute(self, x: ArrayLike, axis: int | None = None) -> NDArray[Any]:
        """
        Run the kernel on ``x`` under this version's axis rule.

        Parameters
        ----------
        x
            Array of any shape, dtype among `dtypes`.
        axis
            The node's axis; None for the default of this version.

        Returns
        -------
        ndarray
            Shape and dtype of ``x``.

        Raises
        ------
        TypeError
            The dtype of ``x`` is none that ONNX allows at this version.
        numpy.exceptions.AxisError
            ``axis`` lies outside [-r, r-1] for an array of rank r.
        """
        return self._apply(self.kernel, self._checked(x), axis)

    def exact(self, x: ArrayLike, axis: int | None = None, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """
        Evaluate the reference on ``x`` under this version's axis rule.

        As `compute`, with the result in extended precision (`numpy.longdouble`), or rounded once to
        ``dtype`` where one is given.
        """
        return self._apply(partial(self.reference, dtype=dtype), self._checked(x), axis)

    def _checked(self, x: ArrayLike) -> NDArray[Any]:
        array = np.asarray(x)
        if array.dtype.name not in self.dtypes:
            message = (
                f"{self.name} takes {', '.join(self.dtypes[:-1])} or {self.dtypes[-1]} (got {array.dtype}); "
                "convert with x.astype(np.float32)"
            )
            raise TypeError(message)
        return array

    def _apply(
        self, function: Callable[..., NDArray[Any]], x: NDArray[Any], axis: int | None
    ) -> NDArray[Any]:
        if self.axis_rule is None:
            return function(x)
        chosen = self.default_axis if axis is None else axis
        assert chosen is not None  # a row with an axis rule has a default
        return along(self.axis_rule, function, x, chosen, name=self.name)


def _row(op_type: str, since_version: int, axis_rule: AxisRule | None, default_axis: int | None) -> Operator:
    kernel, exact = _IMPLEMENTATIONS[op_type]
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule=axis_rule,
        default_axis=default_axis,
        dtypes=_FLOATS if since_version < 13 else _FLOATS_AND_BFLOAT16,
        kernel=kernel,
        reference=exact,
    )


_IMPLEMENTATIONS: dict[str, tuple[Callable[..., NDArray[Any]], Callable[..., NDArray[Any]]]] = {
    "Softmax": (kernels.softmax, reference.softmax),
    "LogSoftmax": (kernels.log_softmax, reference.log_softmax),
    "Hardmax": (kernels.hardmax, reference.hardmax),
    "Sigmoid": (kernels.sigmoid, reference.sigmoid),
}

_TABLE = (
    _row("Softmax", 1, "flatten", 1),
    _row("Softmax", 11, "flatten", 1),
    _row("Softmax", 13, "single", -1),
    _row("LogSoftmax", 1, "flatten", 1),
    _row("LogSoftmax", 11, "flatten", 1),
    _row("LogSoftmax", 13, "single", -1),
    _row("Hardmax", 1, "flatten", 1),
    _row("Hardmax", 11, "flatten", 1),
    _row("Hardmax", 13, "single", -1),
    _row("Sigmoid", 1, None, None),
    _row("Sigmoid", 6, None, None),
    _row("Sigmoid", 13, None, None),
)

_VERSIONS: dict[tuple[str, str], list[Operator]] = {}
for _entry in _TABLE:
    _VERSIONS.setdefault((_entry.domain, _entry.op_type), []).append(_entry)


def operators() -> tuple[Operator, ...]:
    """Every row of the table: all operators at all versions, oldest version first."""
    return _TABLE


def is_known(op_type: str, domain: str = "") -> bool:
    """Whether the table has the operator, at whatever version."""
    return (_canonical(domain), op_type) in _VERSIONS


def operator(op_type: str, opset: int, domain: str = "") -> Operator:
    """
    Return the row that holds for a model which imports ``opset``.

    Parameters
    ----------
    op_type
        Name as in a node, such as ``"Softmax"``.
    opset
        Version of ``domain`` that the model or function imports.
    domain
        ``""`` or ``"ai.onnx"`` for the operators of ONNX itself.

    Raises
    ------
    UnknownOperatorError
        The table has no such operator.
    UnknownOpsetError
        ``opset`` is below the operator's first version, or newer than the installed onnx.
    """
    domain = _canonical(domain)
    versions = _VERSIONS.get((domain, op_type))
    if versions is None:
        raise UnknownOperatorError(_unknown_operator(op_type, domain))
    number = _python_operator.index(opset)
    newest = _newest_opset(domain)
    oldest = versions[0].since_version
    if not oldest <= number <= newest:
        message = (
            f"{op_type} expected an opset from {oldest} to {newest}, the newest that onnx {onnx.__version__} "
            f"knows (got {number}); "
            + ("upgrade onnx, or choose an older opset" if number > newest else "choose a newer opset")
        )
        raise UnknownOpsetError(message)
    return max((row for row in versions if row.since_version <= number), key=lambda row: row.since_version)


def _canonical(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _newest_opset(domain: str) -> int:
    return (
        int(onnx.defs.onnx_opset_version())
        if domain == ""
        else max(row.since_version for row in _TABLE if row.domain == domain)
    )


def _unknown_operator(op_type: str, domain: str) -> str:
    names = [known for known_domain, known in _VERSIONS if known_domain == domain]
    if not names:
        domains = sorted({known_domain or "ai.onnx" for known_domain, _ in _VERSIONS})
        return f"expected an operator of {' or '.join(domains)} (got domain {domain!r}); choose that domain"
    near = difflib.get_close_matches(op_type, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "choose one of these"
    return f"expected one of {', '.join(names)} (got {op_type!r}); {hint}"
