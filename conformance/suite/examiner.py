"""Runs single cases in a runtime and judges them; keeps what the next case may use again."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.build import Truth, built, truth
from ..cases.case import Case
from ..cases.sweep import THREADS
from ..causes.hypotheses import fits_of
from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError
from ..measure.precision import Precision
from ..runtimes.loading import load, refusal
from ..runtimes.protocol import Feeds, Run, Runtime, name_of, precision_of
from ..verdicts.record import CaseRecord, Check, Outcome
from ..verdicts.rules import RULES, Bound
from ..verdicts.verdicts import VERDICTS, assess, formed, settled

Bits = tuple[str, bytes]
"""dtype, shape and bits of an array."""

_BASELINE = THREADS + "1"

_KEPT_MODELS = 4


class Examiner:
    """Judges case after case in a runtime, by the bounds of that name."""

    def __init__(self, runtime: Runtime, bound: Bound = "strict") -> None:
        self._runtime = runtime
        self._bound = bound
        self._configured: dict[str, Runtime] = {"": runtime}
        # Neighbouring cases mostly have one model, or come back to it: it is loaded once. What failed fails again.
        self._loaded: dict[tuple[str, bytes], tuple[Run | ModelNotRunError, Precision]] = {}
        self._precision = Precision()

    def examine(self, case: Case) -> CaseRecord:
        """
        Run a case and judge it; whatever goes wrong is told in the record.

        RuntimeUnusableError: the runtime itself says that it can run nothing.
        """
        self._precision = Precision()
        record = self._told(case)
        seen = self._precision
        return replace(record, computes_in=seen.computes_in, runs_on=seen.runs_on)

    def _told(self, case: Case) -> CaseRecord:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._examined(case)
        except RuntimeUnusableError:
            raise
        except ModelNotRunError as error:
            return CaseRecord(case=case, outcome=_outcome(error), message=str(error), detail=error.detail)
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return CaseRecord(
                case=case, outcome="harness failed", message=f"the case could not be judged: {text}"
            )

    def _examined(self, case: Case) -> CaseRecord:
        reason = refusal(self._runtime, case.op, case.domain, case.opset, case.dtype)
        if reason is not None:
            return CaseRecord(case=case, outcome="unsupported", message=reason)
        model, feeds = built(case)
        known = truth(case)
        outputs, run_checks = self._run(case, model, feeds, known)
        checks, figures = assess(case, known, outputs, self._bound)
        checks += run_checks
        figures["beyond"] = settled(self._bound, checks, figures.get("beyond", {}))
        record = _judged(case, checks, figures)
        return replace(record, fits=fits_of(case, known, outputs)) if record.outcome == "wrong" else record

    def _run(
        self, case: Case, model: bytes, feeds: dict[str, NDArray[Any]], known: Truth
    ) -> tuple[list[NDArray[Any]], list[Check]]:
        """Run a case twice, and on a single thread where it ran on several; leave the inputs as they were."""
        before = {name: x.tobytes() for name, x in feeds.items()}
        run = self._ready(case.setting, model)
        outputs, checks = list(run(feeds)), list[Check]()
        if all(check.passed for check in formed(known, outputs)):
            kept = [_bits(output) for output in outputs]
            again = [_bits(output) for output in run(feeds)]
            # Where a stream of random numbers goes on, the next samples are others.
            same = RULES[case.op].sampled or kept == again
            checks.append(_same("determinism", same, "another run gave other bits"))
            if case.setting.startswith(THREADS) and case.setting != _BASELINE:
                single = [_bits(output) for output in self._ready(_BASELINE, model)(feeds)]
                text = f"{case.setting.removeprefix(THREADS)} threads gave other bits than one"
                checks.append(_same("threads", kept == single, text))
        return outputs, [*checks, _unchanged(feeds, before)]

    def _ready(self, setting: str, model: bytes) -> Run:
        place = setting, model
        if place not in self._loaded:
            for oldest in list(self._loaded)[: 1 - _KEPT_MODELS]:
                del self._loaded[oldest]
            runtime = self._of(setting)
            made: Run | ModelNotRunError
            try:
                made = load(runtime, model)
            except ModelNotRunError as error:
                made = error
            self._loaded[place] = made, precision_of(runtime)
        found, self._precision = self._loaded[place]
        if isinstance(found, ModelNotRunError):
            raise found
        return found

    def _of(self, setting: str) -> Runtime:
        if setting not in self._configured:
            configured = getattr(self._runtime, "configured", None)
            if configured is None:
                message = f"{name_of(self._runtime)} has no settings, so not {setting}"
                raise ModelNotSupportedError(message)
            self._configured[setting] = configured(setting)
        return self._configured[setting]


def _judged(case: Case, checks: list[Check], figures: dict[str, Any]) -> CaseRecord:
    order = list(VERDICTS)
    checks.sort(key=lambda check: order.index(check.name))
    failed = [check for check in checks if not check.passed]
    record = CaseRecord(case=case, outcome="wrong" if failed else "right", checks=tuple(checks), **figures)
    if not failed:
        return record
    return replace(record, verdict=failed[0].name, message=f"{failed[0].name}: {failed[0].message}")


def _outcome(error: ModelNotRunError) -> Outcome:
    if isinstance(error, ModelNotSupportedError):
        return "unsupported"
    return "hung" if isinstance(error, RuntimeHungError) else "crashed"


def _bits(array: NDArray[Any]) -> Bits:
    if array.dtype.kind == "O":
        return str(array.shape), repr(array.tolist()).encode()
    # Whatever NaN it is: which bits it has is nobody's promise.
    if array.dtype.kind in "fV" and array.size:
        missing = array != array
        if missing.any():
            array = np.where(missing, np.array(np.nan, array.dtype), array)
    return f"{array.dtype} {array.shape}", array.tobytes()


def _same(name: str, same: bool, text: str) -> Check:
    return Check(name=name, passed=same, message="" if same else text)


def _unchanged(feeds: Feeds, before: dict[str, bytes]) -> Check:
    changed = [name for name, x in feeds.items() if x.tobytes() != before[name]]
    for name in changed:
        # Other cases are fed from the same arrays.
        feeds[name][...] = np.frombuffer(before[name], feeds[name].dtype).reshape(feeds[name].shape)
    text = f"it wrote into {', '.join(changed)}" if changed else ""
    return Check(name="inputs", passed=not changed, message=text)
