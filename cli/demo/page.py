"""What the demonstration adds to the conformance report: the training, and a few digits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .digits import PIXEL_MAX, Digits
from .findings import Findings

ORDINARY, HARDEST = 3, 3


def training_section(losses: list[float], findings: Findings) -> str:
    """Return the accuracy, the loss curve and how exact either softmax is, as a piece of HTML."""
    top = max(losses)
    across = np.linspace(40, 590, len(losses))
    curve = " ".join(f"{x:.1f},{130 - 120 * loss / top:.1f}" for x, loss in zip(across, losses, strict=True))
    return _render("training.html", losses=losses, findings=findings, curve=curve, top=top)


def digits_section(digits: Digits, probabilities: NDArray[np.floating[Any]]) -> str:
    """Return pictures of some digits with their probabilities (n, 10) as bars, as a piece of HTML."""
    confidence = probabilities.max(1)
    by_confidence = np.argsort(confidence, kind="stable")
    middle = len(by_confidence) // 2
    chosen = [*by_confidence[middle : middle + ORDINARY], *by_confidence[:HARDEST]]
    return _render("digits.html", digits=[_picture(digits, probabilities, index) for index in chosen])


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
