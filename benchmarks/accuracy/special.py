"""What libraries make of special cases, in float32: one line of words a case, beside what softops promises."""

# ruff: noqa: RUF001 (σ and − stand for what they are)

from collections.abc import Callable, Sequence

import numpy as np

from ..peers.peer import Peer
from ..workloads import Array, Inputs, Workload
from .inputs import Batch
from .results import result_of

DTYPE = "float32"
NAN, INF = np.nan, np.inf
Run = Callable[[str, Array], Array | None]
Case = Callable[[Run], str | None]


def _run(peer: Peer) -> Run:
    def run(operator: str, x: Array) -> Array | None:
        nothing, kind = np.empty(0, np.int64), np.dtype(DTYPE)
        inputs = Inputs(np.ascontiguousarray(x, kind), nothing, nothing, nothing)
        batch = Batch(operator, DTYPE, inputs, ("",) * len(x), (None,) * len(x))
        return result_of(peer, Workload(operator, x.shape, dtype=DTYPE), batch)

    return run


def _softmax_underflow(run: Run) -> str | None:
    y = run("softmax", np.array([[0, np.log(1e-40)], [0, -103.0]]))
    return None if y is None else f"{y[0, 1]:.3g}, {y[1, 1]:.3g}"


def _sigmoid_underflow(run: Run) -> str | None:
    y = run("sigmoid", np.array([[np.log(1e-40), -103.0]]))
    return None if y is None else f"{y[0, 0]:.3g}, {y[0, 1]:.3g}"


def _rows(value: float, rest: float = 1.0) -> list[Array]:
    """Rows of several lengths with a value at several places."""
    rows = []
    for n in (3, 17, 1000):
        for place in (0, n // 2, n - 1):
            row = np.full((1, n), rest)
            row[0, place] = value
            rows.append(row)
    return rows


def _outcomes(run: Run, operator: str, rows: Sequence[Array], special: float) -> str | None:
    """What became of the special values and of the others, over all rows."""
    seen: dict[str, None] = {}
    for row in rows:
        y = run(operator, row)
        if y is None:
            return None
        at = np.isnan(row) if np.isnan(special) else row == special
        if y.shape != row.shape:
            seen[_word(y)] = None
        elif np.isnan(y).all() or at.all():
            seen[f"all {_word(y)}"] = None
        else:
            seen[f"{_word(y[at])} there, {_word(y[~at])} elsewhere"] = None
    return " or ".join(seen)


def _word(values: Array) -> str:
    words = {
        "NaN" if np.isnan(v) else f"{v:g}" if np.isinf(v) or v == 0 else "finite" for v in np.unique(values)
    }
    return "/".join(sorted(words)).replace("-", "−")


def _special(operator: str, value: float, rest: float = 1.0) -> Case:
    return lambda run: _outcomes(run, operator, _rows(value, rest), value)


def _ascending() -> list[Array]:
    """Rows of neighbouring numbers in ascending order, with a maximum of their own or one ahead."""
    rows = []
    for center in [sign * 10.0**e * 1.7 for sign in (1, -1) for e in range(-6, 5)] + [-87.5, -60.3, 88.0]:
        steps = np.arange(400, dtype=np.float32) * np.spacing(np.float32(abs(center)))
        row = np.float32(center) + steps
        rows += [np.append(row, row[-1] + np.float32(ahead))[None] for ahead in (0, 0.3, 5, 60)]
    return rows


def _disorder(operator: str, rows: Callable[[], list[Array]] = _ascending) -> Case:
    def case(run: Run) -> str | None:
        wrong = pairs = 0
        for row in rows():
            y = run(operator, row)
            if y is None:
                return None
            wrong += int((np.diff(y[0]) < 0).sum())
            pairs += y.size - 1
        return f"{wrong:,} of {pairs:,}" if wrong else "none"

    return case


def _wide() -> Array:
    random = np.random.default_rng(3)
    sigma = np.repeat([0.1, 1.0, 3.0, 10.0, 30.0], 20)[:, None]
    return np.asarray(random.standard_normal((100, 4096)) * sigma, np.float32)


def _sum(run: Run) -> str | None:
    y = run("softmax", _wide())
    return None if y is None else f"{abs(y.astype(np.longdouble).sum(1) - 1).max():.1e}"


def _beyond(run: Run) -> str | None:
    """Probabilities above 1, log-probabilities above 0."""
    random = np.random.default_rng(4)
    x = random.standard_normal((2000, 50)) * 0.3
    x[:, 7] = x.max(1) + random.uniform(0, 40, 2000)
    p, logs = run("softmax", x), run("log_softmax", x)
    if p is None or logs is None:
        return None
    return f"{int((p > 1).sum() + (logs > 0).sum()) or 'none'}"


CASES: tuple[tuple[str, str, Case], ...] = (
    ("softmax: probabilities that are 1.00e-40 and 1.85e-45", "1e-40, 1.4e-45", _softmax_underflow),
    ("sigmoid: values that are 1.00e-40 and 1.85e-45", "1e-40, 1.4e-45", _sigmoid_underflow),
    ("softmax: a NaN in the row", "all NaN", _special("softmax", NAN)),
    ("softmax: +inf in the row", "all NaN", _special("softmax", INF)),
    ("softmax: −inf beside numbers", "0 there, finite elsewhere", _special("softmax", -INF)),
    ("softmax: nothing but −inf", "all NaN", _special("softmax", -INF, -INF)),
    ("log_softmax: a NaN in the row", "all NaN", _special("log_softmax", NAN)),
    ("log_softmax: +inf in the row", "all NaN", _special("log_softmax", INF)),
    ("log_softmax: −inf beside numbers", "−inf there, finite elsewhere", _special("log_softmax", -INF)),
    ("log_softmax: nothing but −inf", "all NaN", _special("log_softmax", -INF, -INF)),
    ("logsumexp: a NaN in the row", "NaN", _special("logsumexp", NAN)),
    ("logsumexp: +inf in the row", "inf", _special("logsumexp", INF)),
    ("logsumexp: nothing but −inf", "−inf", _special("logsumexp", -INF, -INF)),
    ("softmax: neighbours xᵢ ≥ xⱼ with pᵢ < pⱼ", "none", _disorder("softmax")),
    ("log_softmax: neighbours in the wrong order", "none", _disorder("log_softmax")),
    ("sigmoid: neighbours in the wrong order", "none", _disorder("sigmoid")),
    ("probabilities above 1, log-probabilities above 0", "none", _beyond),
    ("softmax: largest error of Σp, n = 4096", "", _sum),
)


def special_cases(libraries: Sequence[Peer]) -> list[tuple[str, str, dict[str, str | None]]]:
    """For each case its name, what softops promises and what each library does; None: it has no such operator."""
    found = []
    for name, promised, case in CASES:
        outcome: dict[str, str | None] = {}
        for library in libraries:
            try:
                outcome[library.name] = case(_run(library))
            except Exception as error:  # whatever a library raises must not stop the others
                outcome[library.name] = type(error).__name__
        found.append((name, promised, outcome))
    return found
