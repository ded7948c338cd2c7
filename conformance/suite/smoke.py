"""
Whether a runtime can run anything at all, asked where its first cases fail alike.

That every one of thousands of cases crashes with the same words, for want of a device or a library, says nothing of
softmax. It is taken for proven when the first `SUSPICIOUS` cases fail with the same first line, and so do models of a
single Identity and a single Add, and a case of every operator that was asked for and that the runtime does not refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import onnx

from ..cases.case import Case
from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeUnusableError
from ..runtimes.loading import load
from ..runtimes.protocol import Runtime
from ..verdicts.record import CaseRecord, Outcome
from .examiner import Examiner

SUSPICIOUS = 3

_FAILED: tuple[Outcome, ...] = ("crashed", "hung")

_TRIVIAL = {
    "Identity": "{ y = Identity(x) }",
    "Add": "{ y = Add(x, x) }",
}


class SmokeDetector:
    """Examines cases, and raises RuntimeUnusableError when it is proven that none of them can be run."""

    def __init__(self, runtime: Runtime, examiner: Examiner, listed: Iterable[Case]) -> None:
        self._runtime, self._examiner = runtime, examiner
        self._probes = first_of_each(listed)
        self._alike: list[CaseRecord] | None = []

    def examine(self, case: Case) -> CaseRecord:
        """Run a case and judge it."""
        record = self._examiner.examine(case)
        # What the runtime says that it does not take says nothing either way.
        if self._alike is not None and record.outcome != "unsupported":
            failed = record.outcome in _FAILED
            if failed and all(_gist(record) == _gist(other) for other in self._alike):
                self._alike.append(record)
            else:
                self._alike = None
            if self._alike is not None and len(self._alike) == SUSPICIOUS:
                self._alike = None
                self._prove(record)
        return record

    def _prove(self, suspect: CaseRecord) -> None:
        gist = _gist(suspect)
        for name in _TRIVIAL:
            error = self._failure(name)
            if error is None or isinstance(error, ModelNotSupportedError) or _mask(str(error)) != gist:
                return
        failed = set[tuple[str, str]]()
        for case in self._probes:
            if (case.domain, case.op) not in failed:
                record = self._examiner.examine(case)
                if record.outcome == "unsupported":
                    continue
                if record.outcome not in _FAILED or _gist(record) != gist:
                    return
                failed.add((case.domain, case.op))
        said = suspect.message.removesuffix("; look at its operators and opset")
        message = (
            f"{said}; so fail {', '.join(_TRIVIAL)} and every operator ({len(failed)}): nothing can be run; "
            "see to the runtime's installation, devices and options"
        )
        raise RuntimeUnusableError(message, suspect.detail)

    def _failure(self, name: str) -> ModelNotRunError | None:
        text = (
            f'<ir_version: 8, opset_import: ["" : 13]> trivial (float[2] x) => (float[2] y) {_TRIVIAL[name]}'
        )
        model = onnx.parser.parse_model(text).SerializeToString()
        try:
            load(self._runtime, model)({"x": np.ones(2, np.float32)})
        except ModelNotRunError as error:
            return error
        return None


def first_of_each(listed: Iterable[Case]) -> Sequence[Case]:
    """Return the first case of each operator at each opset in each dtype."""
    found: dict[tuple[str, str, int, str], Case] = {}
    for case in listed:
        found.setdefault((case.domain, case.op, case.opset, case.dtype), case)
    return list(found.values())


def _gist(record: CaseRecord) -> str:
    return _mask(record.message)


def _mask(message: str) -> str:
    """Return the first line without what differs from run to run: numbers, and paths of files."""
    return re.sub(r"\S*[/\\]\S*|\d+", "#", message.partition("\n")[0])
