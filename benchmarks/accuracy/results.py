"""How far results are from the exact values, and how that is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softops import numba_kernels
from softops.conformance.measure.ulp import spacing, ulp_error
from softops.conformance.verdicts import promises
from softops.opset import reference

from ..peers.peer import Peer
from ..peers.softops import Softops
from ..results import OURS
from ..workloads import DTYPES, Array, Workload
from .inputs import ELEMENTWISE, OPERATORS, Batch, Effort, batches

PROMISED = promises.PROMISED | promises.FUSED


@dataclass
class Score:
    """The errors of one library for one operator and dtype, in ULP. `worst` is −1 until something is measured."""

    operator: str
    dtype: str
    library: str
    worst: float = -1.0
    origin: str = ""
    total: float = 0.0
    count: int = 0
    by_sigma: dict[float, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def mean(self) -> float:
        """The mean error of all results, those that are not finite included."""
        return self.total / self.count

    @property
    def promised(self) -> float:
        """What softops promises for this operator and dtype."""
        return PROMISED[self.operator][self.dtype]

    @property
    def missed(self) -> bool:
        """Whether ours is off by more than what is promised."""
        return self.library == OURS and self.worst > self.promised

    def add(self, batch: Batch, exact: Any, error: Array) -> None:
        """Take in the errors of a batch: rows by what an operator gives for a row."""
        errors = error.reshape(len(batch.origins), -1)
        self.total += float(errors.sum())
        self.count += errors.size
        row, place = (int(i) for i in np.unravel_index(errors.argmax(), errors.shape))
        if errors[row, place] > self.worst:
            self.worst = float(errors[row, place])
            value = float(np.reshape(exact, errors.shape)[row, place])
            given = (
                f"x = {float(batch.inputs.x[row, place]):.9g}"
                if self.operator in ELEMENTWISE
                else batch.origins[row]
            )
            self.origin = f"{given}: {value:.3g}"
        for sigma, worst in zip(batch.sigmas, errors.max(1), strict=True):
            if sigma is not None:
                self.by_sigma[sigma] = max(float(worst), self.by_sigma.get(sigma, 0.0))


def exact_values(batch: Batch) -> Any:
    """The exact results in extended precision."""
    x = batch.inputs.x
    match batch.operator:
        case "cross_entropy":
            return reference.cross_entropy(x, batch.inputs.labels)
        case "softmax_grad":
            return reference.softmax_grad(batch.inputs.dy, batch.inputs.y)
    return getattr(reference, batch.operator)(x)


def errors(batch: Batch, actual: Array, exact: Any) -> Array:
    """Errors in ULP: of the exact value, for gradients of the largest of y dy, y Σ dy y and their difference."""
    if batch.operator != "softmax_grad":
        return np.asarray(ulp_error(actual, exact))
    y, dy = (array.astype(np.longdouble) for array in (batch.inputs.y, batch.inputs.dy))
    term = np.maximum(y * np.maximum(abs(dy), abs((dy * y).sum(-1, keepdims=True))), abs(exact))
    error = np.asarray(abs(actual.astype(np.longdouble) - exact) / spacing(term, actual.dtype), np.float64)
    error[np.isnan(error)] = np.inf
    return error


def result_of(peer: Peer, workload: Workload, batch: Batch) -> Array | None:
    """What a library gives, in the dtype asked for; None where it has no such operator."""
    with np.errstate(all="ignore"):
        prepared = peer.prepare(workload, batch.inputs, 1)
        if prepared is None:
            return None
        prepared.call()
        return np.asarray(prepared.result()).astype(DTYPES[batch.dtype])


def measure(operator: str, dtype: str, peers: Sequence[Peer], effort: Effort, seed: int) -> list[Score]:
    """The scores of our kernels and of those peers that have the operator for the dtype."""
    scores = {peer: Score(operator, dtype, peer.name) for peer in (Softops(), *peers)}
    if not hasattr(numba_kernels, operator):
        scores = {peer: score for peer, score in scores.items() if peer.name != OURS}
    for batch in batches(operator, dtype, effort, seed):
        exact = np.asarray(exact_values(batch))
        workload = Workload(operator, batch.inputs.x.shape, 1 if operator == "cross_entropy" else -1, dtype)
        for peer, score in list(scores.items()):
            try:
                actual = result_of(peer, workload, batch)
            except Exception as error:  # whatever a library raises must not stop the others
                score.failure = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
                actual = None
            if actual is None:
                del scores[peer]
                if score.failure:
                    score.worst = -1.0
                continue
            score.add(batch, exact, errors(batch, actual, exact))
    return list(scores.values())


def pairs() -> Iterator[tuple[str, str]]:
    """Every operator with every dtype that the oracle is exact enough for."""
    for operator in OPERATORS:
        for dtype in DTYPES:
            if dtype != "float64" or reference.MANTISSA_BITS >= 64:
                yield operator, dtype
