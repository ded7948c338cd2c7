"""What the demonstration puts before the conformance report: a few digits, and the training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .digits import PIXEL_MAX, Digits
from .findings import Findings

ORDINARY, HARDEST = 3, 3


def training_section(losses: list[float], findings: Findings) -> str:
    """Return the loss curve and how exact either softmax is, as a piece of HTML."""
    from softops.conformance.reports.plots import line

    curve = line("Mean training loss", losses, ("epoch 1", f"epoch {len(losses)}"))
    return _render("training.html", losses=losses, findings=findings, curve=curve)


def digits_section(digits: Digits, probabilities: NDArray[np.floating[Any]], findings: Findings) -> str:
    """Return the accuracy, and pictures of some digits with their probabilities (n, 10) as bars, as a piece of HTML."""
    confidence = probabilities.max(1)
    by_confidence = np.argsort(confidence, kind="stable")
    middle = len(by_confidence) // 2
    chosen = [*by_confidence[middle : middle + ORDINARY], *by_confidence[:HARDEST]]
    pictures = [_picture(digits, probabilities, index) for index in chosen]
    return _render("digits.html", digits=pictures, findings=findings)


def _picture(digits: Digits, probabilities: NDArray[np.floating[Any]], index: int) -> dict[str, Any]:
    image = digits.images[index]
    return {
        "truth": int(digits.labels[index]),
        "answer": int(probabilities[index].argmax()),
        "probabilities": probabilities[index].tolist(),
        "pixels": [(x, y, round(float(image[y, x]) / PIXEL_MAX, 3)) for y, x in np.argwhere(image)],
    }


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("softops.cli")
    return (
        Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        .get_template(template)
        .render(values)
    )
