"""What came out of the demonstration."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softops.conformance import Report


@dataclass(frozen=True)
class Findings:
    """What came out: how many held-out digits are read right, and how either runtime computed the model."""

    right: int
    count: int
    theirs: "Report"
    ours: "Report"

    @property
    def agree(self) -> bool:
        """Whether both compute every step right and give every digit the same label."""
        return self.theirs.passed and self.ours.passed and self.theirs.outputs["label"].equal == 1

    def softmax_errors(self) -> dict[str, float]:
        """Return the largest error of the probabilities, in ULP of the exact softmax, by runtime."""
        return {
            report.runtime: max(
                (step.max_error_ulp or 0.0 for step in report.steps if step.tensor == "probabilities"),
                default=0.0,
            )
            for report in (self.theirs, self.ours)
        }
