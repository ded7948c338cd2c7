"""Which cases the suite has: operator × version × dtype × axis × shape × family × variant × form × setting."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import onnx

from softops.opset import Operator, operator, operators

from .case import Case
from .families import FAMILIES
from .sweep import QUICK_DTYPES, Depth, Sweep


def cases(
    *,
    ops: Iterable[str] | None = None,
    opsets: Iterable[int] | None = None,
    dtypes: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    depth: Depth = "default",
    seed: int = 0,
    settings: Sequence[str] = (),
) -> list[Case]:
    """
    Return the cases in the order of the table; of those that no choice leaves out.

    Parameters
    ----------
    ops, opsets, dtypes, families
        Names of operators, with or without their domain, versions of these to be imported, and names; all by default,
        of the versions each at which an operator changed, and in a full run the last before the next change as well.
    depth
        ``quick``: the families in three dtypes, and in the others (unless they are asked for by ``dtypes``) special
        values and two long lines; ``full``: every axis, form and length in every dtype, and every
        family from ten seeds.
    seed, settings
        What the inputs are made from, and settings of the runtime: each is tried on a few cases.

    Raises
    ------
    ValueError
        A name is not known, or nothing is left.
    """
    wanted = _rows(ops, opsets, depth)
    kinds = _known("dtype", dtypes, {name for row, _ in wanted for name in row.dtypes})
    chosen = _known("family", families, FAMILIES)
    found: dict[Case, None] = {}
    for row, opset in wanted:
        for dtype in row.dtypes:
            if kinds is None or dtype in kinds:
                brief = kinds is None and depth == "quick" and dtype not in QUICK_DTYPES
                sweep = Sweep(row, opset, dtype, depth, seed, tuple(settings), brief)
                found.update(
                    (case, None) for case in sweep.cases() if chosen is None or case.family in chosen
                )
    if not found:
        message = "expected at least one case (got none for this choice); choose fewer restrictions"
        raise ValueError(message)
    return list(found)


def depth_of(*, quick: bool, full: bool) -> Depth:
    """Say how deep a run goes that is asked to be quick, or full, or neither; ValueError: it is asked for both."""
    if quick and full:
        message = "expected a quick or a full run (got both); choose one"
        raise ValueError(message)
    return "quick" if quick else "full" if full else "default"


def _rows(
    ops: Iterable[str] | None, opsets: Iterable[int] | None, depth: Depth
) -> list[tuple[Operator, int]]:
    names = _known("operator", ops, {name for row in operators() for name in (row.op_type, _qualified(row))})
    rows = [row for row in operators() if names is None or {row.op_type, _qualified(row)} & names]
    if opsets is None:
        full = depth == "full"
        return [
            (row, opset)
            for row in rows
            for opset in dict.fromkeys((row.since_version, _last(row) if full else row.since_version))
        ]
    asked = dict.fromkeys([opsets] if isinstance(opsets, int) else opsets)
    found = [(row, opset) for row in rows for opset in asked if row.since_version <= opset <= _last(row)]
    if not found:
        message = (
            f"expected opsets at which one of the operators exists (got {', '.join(map(str, asked))}); "
            "see softops operators"
        )
        raise ValueError(message)
    return found


def _last(row: Operator) -> int:
    """Return the last opset at which a row holds, as far as the installed onnx knows."""
    if row.domain:
        return row.since_version
    newest = onnx.defs.onnx_opset_version()
    return max(opset for opset in range(row.since_version, newest + 1) if operator(row.op_type, opset) is row)


def _qualified(row: Operator) -> str:
    return f"{row.domain or 'ai.onnx'}.{row.op_type}"


def _known(what: str, given: Iterable[str] | None, known: Iterable[str]) -> set[str] | None:
    if given is None:
        return None
    names, everything = [given] if isinstance(given, str) else list(given), list(known)
    for name in names:
        if name not in everything:
            near = difflib.get_close_matches(name, everything, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(sorted(everything))}"
            message = f"expected the name of a known {what} (got {name!r}); {hint}"
            raise ValueError(message)
    return set(names)
