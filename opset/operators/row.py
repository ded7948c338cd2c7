"""One row of the table: an operator at one version, with what computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..graph.given import as_array
from ..oracle.rounding import rounded as round_once
from .axis import AxisRule
from .signature import Attribute, Parameter, as_text, check_attribute, dtype_named

Inputs = Sequence[Any]
"""Arrays, None for one left out."""
Attributes = Mapping[str, Any]
Outputs = tuple[NDArray[Any], ...]
Implementation = Callable[["Operator", Inputs, Attributes, int], Outputs]
"""A function of (row, inputs, attributes with defaults filled in, number of outputs)."""
Rounding = Callable[[NDArray[Any], DTypeLike, Inputs], NDArray[Any]]

_SCHEMAS = {
    "": "https://github.com/onnx/onnx/blob/main/docs/Changelog.md",
    "ai.onnx.ml": "https://github.com/onnx/onnx/blob/main/docs/Changelog-ml.md",
    "com.microsoft": "https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md",
}


def numba_kernel(name: str) -> Callable[..., Any]:
    """Return a function of `softops.numba_kernels`, imported by the first call: the table needs no compiler."""

    def call(*arrays: Any, **options: Any) -> Any:
        from softops import numba_kernels

        return getattr(numba_kernels, name)(*arrays, **options)

    return call


def _rounded(value: NDArray[Any], dtype: DTypeLike, inputs: Inputs) -> NDArray[Any]:
    return round_once(value, dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """
    One operator of ONNX at one version. There is one object for each: rows are compared by identity, and a pickle or a
    copy of one is that object of the process that loads it (load pickles of your own processes alone).

    Attributes
    ----------
    op_type, domain, since_version
        Its name in a model; the domain of ai.onnx is ``""``.
    axis_rule
        ``"flatten"``, ``"single"`` (see `softops.opset.operators.axis`), or None for an elementwise operator.
    default_axis
        The axis of a node that names none, or the one that the operator fixes; None for an elementwise
        operator, and for one that then works along all dimensions.
    types
        Names of the dtypes that ONNX allows, for each type variable of the schema.
    inputs, outputs
        Its `Parameter` objects, in order.
    attributes
        Its `Attribute` objects by name.
    kernel, reference
        What computes it: fast, in the dtypes of the operator, and exact, in extended precision.
    reference_float64
        The same in arbitrary precision, for results to be rounded to float64 or cut off to integers; None where
        `reference` is exact enough for that.
    rounding
        From the exact result to the dtype of an output, given the inputs as well.
    notes
        Where ONNX leaves a meaning open: what we do, and why.
    """

    op_type: str
    domain: str = ""
    since_version: int
    axis_rule: AxisRule | None = None
    default_axis: int | None = None
    types: Mapping[str, tuple[str, ...]]
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    kernel: Implementation
    reference: Implementation
    reference_float64: Implementation | None = None
    rounding: Rounding = _rounded
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name and version, such as ``Softmax-13``."""
        prefix = f"{self.domain}." if self.domain else ""
        return f"{prefix}{self.op_type}-{self.since_version}"

    @property
    def schema_url(self) -> str:
        """Address of the operator's text at this version."""
        anchor = f"{self.domain}.{self.op_type}" if self.domain == "com.microsoft" else self.name
        return f"{_SCHEMAS[self.domain]}#{anchor}"

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Names of the dtypes that the first input may have."""
        return self.types[self.inputs[0].type]

    def run(
        self,
        inputs: Sequence[ArrayLike | None],
        attributes: Attributes | None = None,
        *,
        outputs: int = 1,
    ) -> Outputs:
        """
        Compute the operator by its kernel.

        Parameters
        ----------
        inputs
            Arrays in the order of `inputs`, None for one left out.
        attributes
            The node's attributes by name, as Python values; those missing have this version's default.
        outputs
            How many outputs to return, from the first on.

        Returns
        -------
        tuple of ndarray
            As many as asked for.

        Raises
        ------
        TypeError
            The dtype of an input is none that ONNX allows at this version, or not that of its relatives.
        ValueError
            An input or a required attribute is missing, or there is one too many; a shape or a value that
            the operator does not take.
        numpy.exceptions.AxisError
            An axis lies outside [-r, r-1] for an array of rank r.
        """
        bound = self.bound(attributes, outputs=outputs)
        with np.errstate(all="ignore"):
            return bound(*inputs)

    def bound(self, attributes: Attributes | None = None, *, outputs: int = 1) -> Callable[..., Outputs]:
        """`run` as a function of the inputs, with attributes that are checked once."""
        completed = self._completed(attributes)
        return lambda *inputs: self.kernel(self, self._checked(inputs, outputs), completed, outputs)[:outputs]

    def evaluate(
        self,
        inputs: Sequence[ArrayLike | None],
        attributes: Attributes | None = None,
        *,
        outputs: int = 1,
        rounded: bool = True,
    ) -> Outputs:
        """
        Evaluate the oracle: as `run`, with the exact values rounded once to the dtypes of the outputs.

        With ``rounded=False`` they stay in extended precision (`numpy.longdouble`); indices, labels and
        copies of an input have their own dtype in either case.
        """
        given = self._checked(inputs, outputs)
        reference = self.reference
        if rounded and self.reference_float64 is not None and _is_wide(given[0]):
            reference = self.reference_float64
        completed = self._completed(attributes)
        with np.errstate(all="ignore"):
            exact = reference(self, given, completed, outputs)[:outputs]
            if not rounded:
                return exact
            return tuple(
                self.rounding(value, self._dtype_of(parameter, given), given)
                if value.dtype == np.longdouble
                else value
                for value, parameter in zip(exact, self.outputs, strict=False)
            )

    def compute(self, x: ArrayLike, axis: int | None = None) -> NDArray[Any]:
        """`run` of one array, along one axis (None for the default): the first output."""
        return self.run((x,), None if axis is None else {"axis": axis})[0]

    def exact(self, x: ArrayLike, axis: int | None = None, *, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """`evaluate` of one array, along one axis: the first output unrounded, or rounded once to ``dtype``."""
        attributes = None if axis is None else {"axis": axis}
        (value,) = self.evaluate((x,), attributes, rounded=False)
        return round_once(value, dtype)

    @cached_property
    def _allowed(self) -> tuple[frozenset[np.dtype[Any]], ...]:
        return tuple(frozenset(map(dtype_named, self._names_of(parameter))) for parameter in self.inputs)

    def _names_of(self, parameter: Parameter) -> tuple[str, ...]:
        return self.types.get(parameter.type, (parameter.type,))

    def _checked(self, inputs: Sequence[ArrayLike | None], outputs: int) -> list[NDArray[Any] | None]:
        if len(inputs) > len(self.inputs):
            names = ", ".join(parameter.name for parameter in self.inputs)
            message = (
                f"{self.name} takes at most {len(self.inputs)} inputs, {names} "
                f"(got {len(inputs)}); remove the others"
            )
            raise ValueError(message)
        if not 1 <= outputs <= len(self.outputs):
            message = f"{self.name} has {len(self.outputs)} outputs (got outputs={outputs}); ask for those"
            raise ValueError(message)
        given = [
            x if x is None or type(x) is np.ndarray else as_array(x, f"{self.name}: {parameter.name}")
            for x, parameter in zip(inputs, self.inputs, strict=False)
        ]
        given.extend([None] * (len(self.inputs) - len(given)))
        bound: dict[str, np.dtype[Any]] = {}
        for array, parameter, allowed in zip(given, self.inputs, self._allowed, strict=True):
            if array is None:
                if not parameter.optional:
                    message = f"{self.name} needs its input {parameter.name} (got none); pass an array"
                    raise ValueError(message)
            elif array.dtype not in allowed:
                raise TypeError(self._wrong_dtype(parameter, array.dtype))
            elif bound.setdefault(parameter.type, array.dtype) != array.dtype:
                message = (
                    f"{self.name} takes {parameter.name} of the dtype of its other {parameter.type} inputs, "
                    f"{bound[parameter.type]} (got {array.dtype}); convert with astype"
                )
                raise TypeError(message)
        return given

    def _completed(self, attributes: Attributes | None) -> Attributes:
        attributes = attributes or {}
        if unknown := attributes.keys() - self.attributes.keys():
            known = ", ".join(self.attributes) or "none"
            message = f"{self.name} expected no attributes but {known} (got {', '.join(sorted(unknown))}); remove these"
            raise ValueError(message)
        given = {name: as_text(value) for name, value in attributes.items() if value is not None}
        for name, value in given.items():
            check_attribute(self.name, name, self.attributes[name].type, value)
        for name, attribute in self.attributes.items():
            if attribute.required and name not in given:
                message = f"{self.name} needs the attribute {name} (got none); set it"
                raise ValueError(message)
        return {name: attribute.default for name, attribute in self.attributes.items()} | given

    def _wrong_dtype(self, parameter: Parameter, dtype: np.dtype[Any]) -> str:
        *others, last = self._names_of(parameter)
        expected = f"{', '.join(others)} or {last}" if others else last
        what = "" if parameter is self.inputs[0] else f" as {parameter.name}"
        target = "float32" if "float32" in (*others, last) else last
        return f"{self.name} takes {expected}{what} (got {dtype}); convert with x.astype(np.{target})"

    def _dtype_of(self, output: Parameter, given: Sequence[NDArray[Any] | None]) -> np.dtype[Any]:
        """Return the dtype of an output: that of the inputs of its type, or the only one it can have."""
        for array, parameter in zip(given, self.inputs, strict=True):
            if parameter.type == output.type and array is not None:
                return array.dtype
        return dtype_named(self._names_of(output)[0])


def _is_wide(x: NDArray[Any] | None) -> bool:
    """Whether extended precision is not enough to round a result to the dtype of x, or to cut it off."""
    return x is not None and (x.dtype == np.float64 or x.dtype.kind in "iu")
