"""The precision that a runtime computes floats in: its names, and what a report says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OWN = "own"
"""Each float in its own type."""

WORDS = {
    OWN: "the model's own types",
    "f64": "float64",
    "f32": "float32",
    "tf32": "TF32",
    "f16": "float16",
    "bf16": "bfloat16",
}
"""Precisions by their short names, and what reports call them."""

_OTHER_NAMES = {word: name for name, word in WORDS.items()} | {"dynamic": OWN, "undefined": OWN}

_FULL = (OWN, "f32", "f64")


@dataclass(frozen=True)
class Precision:
    """
    What a runtime tells of the precision of a model that it has loaded.

    Attributes
    ----------
    computes_in
        A short name of `WORDS`, or what else the runtime calls it; empty where it does not tell.
    runs_on
        The devices or providers; empty where it does not tell.
    full
        The setting that asks for float32 where the runtime chose otherwise by itself, such as ``precision=f32``;
        empty where there is none, or where it was the user who chose.
    """

    computes_in: str = ""
    runs_on: str = ""
    full: str = ""

    @property
    def is_less(self) -> bool:
        """Whether floats are computed in less than float32, or may be: the runtime has chosen and does not tell."""
        return self.computes_in not in _FULL if self.computes_in else bool(self.runs_on and self.full)

    def cause(self, runtime: str) -> str:
        """Return why results are off, and the cure: a sentence without its full stop; empty where floats are full."""
        if not self.is_less:
            return ""
        if not self.computes_in:
            what = f"{runtime} ran on {self.runs_on}, whose precision it does not report"
        elif self.full:
            what = f"{runtime} ran in {_word(self.computes_in)}, its default on this processor"
        else:
            what = f"{runtime} ran in {_word(self.computes_in)}, and is judged by the bounds of float32"
        return f"{what}; {runtime}:{self.full} asks for float32" if self.full else what


def short_name(precision: str) -> str:
    """Return a precision by its short name, whichever way it is written."""
    return _OTHER_NAMES.get(precision, precision)


def heading(runtime: str, version: str, computes_in: Iterable[str], runs_on: Iterable[str]) -> str:
    """
    Return the first line of a report: the runtime, its version, what it ran on and the precisions that were seen.

    Such as ``openvino 2026.4.1 on CPU, computed in bfloat16``.
    """
    name = f"{runtime} {version}".strip()
    places = " or ".join(filter(None, runs_on))
    seen = " or ".join(map(_word, filter(None, computes_in)))
    if places:
        name = f"{name} on {places}"
        seen = seen or "a precision that it does not report"
    return f"{name}, computed in {seen}" if seen else name


def _word(precision: str) -> str:
    return WORDS.get(precision, precision)
