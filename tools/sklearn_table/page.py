"""The table of docs/sklearn.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from .data import ROWS, SETS
from .measure import Outcome

TITLE = "## What is exported, and how exactly"

_HEAD = """\
Made by `python -m tools.sklearn_table --docs docs/sklearn.md` with {versions}. Each classifier
was fitted on every other of at most {rows} rows of {sets}, exported in float32, and compared in onnxruntime with
its own `predict_proba`, or `decision_function` where it has none (of the largest decision then), on all of them: alone,
on the raw numbers; and behind a ColumnTransformer with SimpleImputer, StandardScaler (MinMaxScaler where counts are
wanted) and OneHotEncoder, fed a DataFrame with gaps, integers and strings. Labels are strings, but for XGBoost, which
takes none. The bound is what `tests/tools/test_sklearn_table.py` holds these data to.

{good} of {all} are exported both ways. No label differs except where the table says so."""

Found = Mapping[str, tuple[Outcome, Outcome]]


def _with_version(package: str) -> str:
    """Its name and version; empty where it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def section(found: Found) -> str:
    """Return the section: a table of what is exported, and one of what is refused."""
    good = {name: pair for name, pair in found.items() if not any(outcome.refused for outcome in pair)}
    packages = ("scikit-learn", "skl2onnx", "onnxmltools", "xgboost", "lightgbm", "onnxruntime")
    head = _HEAD.format(
        versions=", ".join(filter(None, map(_with_version, packages))),
        rows=ROWS,
        sets=", ".join(SETS),
        good=len(good),
        all=len(found),
    )
    lines = ["| classifier | by | compared | alone | behind columns | bound |", "|---|---|---|---|---|---|"]
    for name, (alone, columns) in good.items():
        by = alone.converter.rpartition(" (")[0] or "softops"
        by = " and ".join(part.partition(" ")[0] for part in by.split(" and "))
        bound = bound_of(max(alone.largest or 0, columns.largest or 0))
        lines.append(f"| {name} | {by} | {alone.scores} | {_cell(alone)} | {_cell(columns)} | {bound:.0e} |")
    refused = [
        f"- **{name}**{_where(pair)}: {_reason(next(o.refused for o in pair if o.refused))}"
        for name, pair in found.items()
        if name not in good
    ]
    return "\n".join([TITLE, "", head, "", *lines, "", "Refused:", "", *(refused or ["nothing."])]) + "\n"


def with_section(page: str, text: str) -> str:
    """Return a page with the section in the place of an older one, which is its last."""
    return f"{page.partition(TITLE)[0].rstrip()}\n\n{text}"


def bound_of(largest: float) -> float:
    """Return the power of ten above twice a difference, which another processor or release may have, at least 1e-6."""
    return float(10.0 ** math.ceil(math.log10(max(2 * largest, 1e-6)) - 1e-9))


def _cell(outcome: Outcome) -> str:
    labels = f", {outcome.labels} labels differ" if outcome.labels else ""
    return f"{outcome.largest:.1e}{labels}"


def _where(pair: tuple[Outcome, Outcome]) -> str:
    alone, columns = (bool(outcome.refused) for outcome in pair)
    return "" if alone and columns else " (alone)" if alone else " (behind columns)"


def _reason(refused: str) -> str:
    return refused.replace("|", "\\|")
