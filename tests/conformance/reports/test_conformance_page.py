"""docs/conformance.md names every family, verdict and runtime."""

from pathlib import Path

from softops.conformance import runtimes
from softops.conformance.cases.families import FAMILIES
from softops.conformance.verdicts.verdicts import VERDICTS

PAGE = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text("utf-8")


def test_the_page_names_all_there_is():
    for name, family in FAMILIES.items():
        assert f"| `{name}` | {family.description} |" in PAGE
    for name, text in VERDICTS.items():
        assert f"| `{name}` | {text} |" in PAGE
    for name in runtimes():
        assert f"| `{name}" in PAGE
