"""Rounding noise in all forms: lines for tests, sentences, Markdown and a web page; JSON is the source."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..measure.brief import type_of
from ..rounding.report import LOSS, NodeNoise, NoiseReport
from ..rounding.tensor_noise import LabelNoise, TensorNoise
from .files import write_forms
from .page import environment, number
from .plots import line

if TYPE_CHECKING:
    from markupsafe import Markup

COLUMNS = (
    *("output", "type", "sigma, at most", "largest difference", "median relative", "median ULP", "digits"),
    *("worst relative", "worst ULP"),
)
"""Of each output. Median and worst: the largest difference to expect of the element in the middle, and of the last."""

_HALVES = ("float16", "bfloat16")

_LOSING = 5
"""As many nodes that digits are lost at are listed."""


def assertion(tensor: TensorNoise) -> str | None:
    """
    Return a line for a test that holds an output to what rounding explains, of the arrays ``actual`` and ``expected``
    by output name; None for integers and strings that hang on rounding, of which none can be had.
    """
    # Halves are compared in float32: NumPy would take the tolerances for halves, too, and has no bfloat16 of its own.
    wide = ".astype(np.float32)" if tensor.dtype in _HALVES else ""
    arrays = ", ".join(f"{of}[{tensor.name!r}]{wide}" for of in ("actual", "expected"))
    if tensor.is_float:
        return f"np.testing.assert_allclose({arrays}, rtol={tolerance(tensor.rtol)}, atol={tolerance(tensor.atol)})"
    hangs = tensor.undecided is not None and tensor.undecided.any()
    return None if hangs else f"np.testing.assert_array_equal({arrays})"


def tolerance(value: float) -> str:
    """Write a tolerance of one digit, such as 2e-6."""
    return f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0"


def sentences(tensor: TensorNoise) -> list[str]:
    """Say which decisions of an output rounding may change, and which before it, without the sentences' ends."""
    found = []
    if tensor.labels is not None and tensor.labels.rows:
        found.append(_of_labels(tensor.labels))
    if tensor.undecided is not None:
        count = int(tensor.undecided.sum())
        found.append(f"rounding may change {count:,} of {tensor.undecided.size:,} values")
    if tensor.hangs_on:
        found.append(f"depends on what rounding may change: {', '.join(tensor.hangs_on)}")
    return found


def _of_labels(labels: LabelNoise) -> str:
    count, top = labels.undecided, labels.undecided_top
    if count:
        said = f"rounding may change the largest of {count:,} of {labels.rows:,} rows"
        return said if top is None else f"{said}, and the five largest of {top:,}"
    said = f"rounding changes the largest of none of the {labels.rows:,} rows"
    if top is None:
        return said
    return f"{said}, but may change the five largest of {top:,}" if top else f"{said}, nor the five largest"


def write_noise(found: NoiseReport, path: str | os.PathLike[str], *, title: str) -> None:
    """Write a report to a ``.html``, ``.json`` or ``.md`` file, or to a folder of all three."""
    write_forms(
        path,
        {
            ".html": lambda: _render_page(found, title),
            ".json": found.to_json,
            ".md": lambda: render_markdown(found, title=title),
        },
    )


def render_markdown(found: NoiseReport, *, title: str) -> str:
    """Return a report as Markdown."""
    lines = [f"# {title}", ""]
    lines += [f"| {' | '.join(COLUMNS)} |"]
    lines += [f"|---|---|{'--:|' * (len(COLUMNS) - 2)}"]
    for row in rows(found):
        lines.append(
            f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
        )
    lines.append("")
    lines += [f"- {name}: {said}" for name, tensor in found.outputs.items() for said in sentences(tensor)]
    lines += [f"- {found.lost_digits}"] if found.lost_digits else []
    lines += [f"- {note}" for note in found.notes]
    if held := assertions(found):
        lines += ["", "For a test:", "", *(f"    {line}" for line in held)]
    return "\n".join(lines).rstrip() + "\n"


def rows(found: NoiseReport) -> list[tuple[str, ...]]:
    """Return what a table shows of each output, in `COLUMNS`."""
    listed = []
    for name, tensor in found.outputs.items():
        figures: list[float | None] = [None] * (len(COLUMNS) - 2)
        if tensor.is_float and tensor.sigma.size:
            typical = tensor.typical_relative, tensor.typical_ulp
            worst = tensor.relative, tensor.ulp
            figures = [float(tensor.sigma.max()), tensor.largest, *typical, tensor.digits, *worst]
        listed.append(
            (
                name,
                type_of(tensor.dtype, tensor.shape),
                *(number(x if x is None else float(f"{x:.2g}")) for x in figures),
            )
        )
    return listed


def assertions(found: NoiseReport) -> list[str]:
    """Return the lines for a test of all outputs."""
    return [line for tensor in found.outputs.values() if (line := assertion(tensor)) is not None]


def _render_page(found: NoiseReport, title: str) -> str:
    said = [(name, sentence) for name, tensor in found.outputs.items() for sentence in sentences(tensor)]
    page = environment().get_template("noise.html")
    return page.render(
        title=title,
        found=found,
        columns=COLUMNS,
        rows=rows(found),
        said=said,
        curve=_curve(found.nodes),
        losing=found.losing[:_LOSING],
        lines=assertions(found),
    )


def _curve(nodes: Sequence[NodeNoise]) -> Markup | None:
    """Draw the digits that are left after each node; None where fewer than two nodes have any noise."""
    noisy = [node for node in nodes if math.isfinite(node.digits)]
    if len(noisy) < 2:
        return None
    lost = [
        (place, f"{node.tensor}: {node.lost:.1f} lost, {node.digits:.1f} left")
        for place, node in enumerate(noisy)
        if node.lost > LOSS
    ]
    caption = "Significant decimal digits of each tensor, in the order of the model"
    if lost:
        caption += "; red: more than half a digit is lost there"
    return line(
        caption, [node.digits for node in noisy], ("first node", f"last of {len(noisy):,} nodes"), lost
    )
