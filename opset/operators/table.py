"""
The table: one row for each operator and each version at which ONNX changed it.

The row for a model is the one with the largest ``since_version`` that is not above the opset the model
(or the function within it) imports for the operator's domain.
"""

from __future__ import annotations

import copyreg
import difflib
import functools
import operator as _python_operator
from collections.abc import Callable, Iterable

import onnx

from ..errors import UnknownOperatorError, UnknownOpsetError
from ..graph.domains import canonical_domain, newest_version
from . import (
    attention,
    decisions,
    linear_classifier,
    losses,
    multinomial,
    normalizer,
    quantized,
    reduce_log_sum_exp,
    softmax,
)
from .row import Operator

TABLE: tuple[Operator, ...] = (
    *softmax.ROWS,
    *reduce_log_sum_exp.ROWS,
    *losses.ROWS,
    *attention.ROWS,
    *decisions.ROWS,
    *multinomial.ROWS,
    *linear_classifier.ROWS,
    *normalizer.ROWS,
    *quantized.ROWS,
)

_VERSIONS: dict[tuple[str, str], list[Operator]] = {}
for _entry in TABLE:
    _VERSIONS.setdefault((_entry.domain, _entry.op_type), []).append(_entry)


def _row(op_type: str, since_version: int, domain: str) -> Operator:
    return next(row for row in _VERSIONS[domain, op_type] if row.since_version == since_version)


def _reduced(row: Operator) -> tuple[Callable[..., Operator], tuple[str, int, str]]:
    """Pickle and copy a row as its name: what computes it are functions that no pickle holds."""
    return _row, (row.op_type, row.since_version, row.domain)


copyreg.pickle(Operator, _reduced)


def operators() -> tuple[Operator, ...]:
    """Every row of the table: all operators at all versions, oldest version first."""
    return TABLE


def notes_of(rows: Iterable[Operator]) -> dict[str, tuple[int, ...]]:
    """Return each note of some rows of one operator once, with the versions that it belongs to."""
    rows = tuple(rows)
    every = dict.fromkeys(note for row in rows for note in row.notes)
    return {note: tuple(row.since_version for row in rows if note in row.notes) for note in every}


def is_known(op_type: str, domain: str = "") -> bool:
    """Whether the table has the operator, at whatever version."""
    return (canonical_domain(domain), op_type) in _VERSIONS


def unquantized(op_type: str, domain: str = "") -> str:
    """Return the operator of ai.onnx that a quantized one computes in between; the name itself of any other."""
    return quantized.COMPUTED.get(op_type, op_type) if domain == quantized.DOMAIN else op_type


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
    TypeError
        ``opset`` is no integer.

    Examples
    --------
    >>> operator("Softmax", 12).since_version, operator("Softmax", 17).since_version
    (11, 13)
    """
    domain = canonical_domain(domain)
    versions = _VERSIONS.get((domain, op_type))
    if versions is None:
        raise UnknownOperatorError(_unknown_operator(op_type, domain))
    if not hasattr(opset, "__index__"):
        message = f"expected the opset as an integer (got {opset!r}); pass for instance 13"
        raise TypeError(message)
    number = _python_operator.index(opset)
    newest = newest_version(domain) or versions[-1].since_version
    oldest = versions[0].since_version
    if not oldest <= number <= newest:
        message = (
            f"{op_type} expected an opset from {oldest} to {newest}, the newest that onnx {onnx.__version__} "
            f"knows (got {number}); "
            + ("upgrade onnx, or choose an older opset" if number > newest else "choose a newer opset")
        )
        raise UnknownOpsetError(message)
    return max((row for row in versions if row.since_version <= number), key=lambda row: row.since_version)


@functools.lru_cache(
    maxsize=256
)  # a walk over a model asks for every node, and the search of near names is slow
def _unknown_operator(op_type: str, domain: str) -> str:
    names = [known for known_domain, known in _VERSIONS if known_domain == domain]
    if not names:
        domains = sorted({known_domain or "ai.onnx" for known_domain, _ in _VERSIONS})
        return f"expected an operator of {' or '.join(domains)} (got domain {domain!r}); choose that domain"
    near = difflib.get_close_matches(str(op_type), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "choose one of these"
    return f"expected one of {', '.join(names)} (got {op_type!r}); {hint}"
