"""One trial of a runtime: its own values at the cuts, and the verdict on each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset.graph.files import serialize

from ..measure.metrics import dtype_name
from ..runtimes.loading import load
from ..runtimes.protocol import Runtime, name_of
from ..runtimes.softops import SoftopsRuntime
from .cuts import Plan
from .judge import Judge
from .pairs import compare_nodes, compare_outputs
from .record import Report
from .step import Step

Arrays = dict[str, NDArray[Any]]


class Trial:
    """
    Fills a report from the outputs of the runtime and of our backend.

    Attributes
    ----------
    values
        The runtime's inputs, cuts and outputs by name, as far as it gave any; for comparing runtimes.
    """

    def __init__(self, report: Report, plan: Plan, runtime: Runtime, feeds: Arrays, judge: Judge) -> None:
        self.values: Arrays = dict(feeds)
        self._report = report
        self._plan = plan
        self._runtime = runtime
        self._feeds = feeds
        self._judge = judge

    def measure(self, actual: Sequence[Any], expected: Sequence[Any]) -> None:
        """Compare the outputs from end to end, and judge the steps if number, dtypes and shapes are right."""
        names = self._plan.outputs
        if len(actual) != len(names):
            self._fail(f"expected {len(names)} outputs, {', '.join(names)} (got {len(actual)})")
            return
        theirs, ours = (self._compared(names, outputs) for outputs in (actual, expected))
        self.values |= theirs
        apart = compare_outputs(self._plan, theirs, ours)
        self._report.apart = apart
        for reason in apart.unlike:
            self._fail(reason)
        if not apart.unlike:
            self._judge_steps(theirs, ours)

    def _judge_steps(self, plain: Arrays, ours: Arrays) -> None:
        plan = self._plan
        probed = self._probe(plain)
        if probed is None:
            return
        cuts = {name: probed[name] for name in plan.cuts}
        outputs = load(SoftopsRuntime(), serialize(plan.resumed()), plan.folder)({**self._feeds, **cuts})
        recomputed = self._compared(plan.resumed_outputs, outputs)
        if len(self._fitting(probed, recomputed)) != len(probed):
            return
        values = {**self._feeds, **probed}
        self.values |= {name: array for name, array in probed.items() if name not in plain}
        # In the order of the graph: what was allowed for an input is part of what is allowed behind it.
        behind = [name for name in plan.producers if name in probed]
        for name in (*behind, *(probed.keys() - behind)):
            if probed[name].size:
                self._add(self._judge.step(name, values, recomputed))

        everything = {**self._feeds, **self._our_cuts(), **ours}
        self._report.apart.nodes = compare_nodes(plan, self.values, everything)
        other = [name for name, array in plain.items() if array.size and not _same(array, probed[name])]
        if other:
            self._report.notes.append(
                f"{name_of(self._runtime)} gives other bits of {', '.join(other)} when it is asked for "
                "intermediate values as well; what it gives without is judged end to end"
            )
            for name in other:
                self._add(self._judge.end_to_end(name, plain[name], everything))
                if (sums := self._judge.row_sums(name, plain[name], everything)) is not None:
                    self._add(sums)

    def _probe(self, plain: Arrays) -> Arrays | None:
        """Return the runtime's outputs and cuts."""
        model, names = self._plan.probed(), self._plan.probed_outputs
        if model is None:
            return plain
        outputs = load(self._runtime, serialize(model), self._plan.folder)(self._feeds)
        if len(outputs) != len(names):
            self._fail(
                f"expected {len(names)} outputs when asked for {', '.join(names)} (got {len(outputs)})"
            )
            return None
        return self._compared(names, outputs)

    def _our_cuts(self) -> Arrays:
        model = self._plan.probed()
        if model is None:
            return {}
        outputs = load(SoftopsRuntime(), serialize(model), self._plan.folder)(self._feeds)
        return self._compared(self._plan.probed_outputs, outputs)

    def _compared(self, names: Sequence[str], outputs: Sequence[Any]) -> Arrays:
        """Return those of the outputs that are compared, by name."""
        wanted = {*self._plan.compared, *self._plan.cuts}
        pairs = zip(names, outputs, strict=True)
        return {name: np.asarray(output) for name, output in pairs if name in wanted}

    def _fitting(self, actual: Arrays, expected: Arrays) -> list[str]:
        """Return the names of the arrays of the right dtype and shape; the others are failures."""
        fitting = []
        for name, array in actual.items():
            wanted = expected[name]
            if dtype_name(array) != dtype_name(wanted):
                self._fail(f"{name}: expected {dtype_name(wanted)} (got {dtype_name(array)})")
            elif array.shape != wanted.shape:
                self._fail(f"{name}: expected shape {list(wanted.shape)} (got {list(array.shape)})")
            else:
                fitting.append(name)
        return fitting

    def _add(self, step: Step) -> None:
        self._report.steps.append(step)
        if not step.passed:
            self._fail(step.message)

    def _fail(self, reason: str) -> None:
        self._report.failures.append(reason)


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    if left.dtype.kind == "O":
        return np.array_equal(left, right)
    return left.tobytes() == right.tobytes()
