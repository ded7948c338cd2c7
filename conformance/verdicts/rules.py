"""What the outputs of each operator are held to: its bound, its laws, and how it is judged besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..cases.build import Truth
from ..cases.calls import lines, row_of
from ..cases.case import Case
from ..measure.ulp import Doubles, is_float, spacing
from . import allowances
from .attention_allowance import attention_allowance
from .laws import PROBABILITIES, Law, order, simplex
from .promises import promise
from .question import HALF, Question

Bound = Literal["exact", "strict", "webnn", "onnx"]
BOUNDS: tuple[Bound, ...] = get_args(Bound)
OURS: tuple[Bound, ...] = ("exact", "strict")
"""The bounds whose laws are ours, too; by those of others the laws are as loose as the bound."""


@dataclass(frozen=True)
class Rule:
    """
    What the outputs of an operator are held to.

    Attributes
    ----------
    allowance
        The strict bound: from a question and the magnitudes of the exact values to how far each element may be off.
    laws
        What the first output keeps whatever its rounding.
    exact, copied
        Whether floats are to be equal, and those of the input, the sign of a zero too.
    sampled
        Whether the outputs are drawn at random, and judged by their frequencies.
    undecided
        Which elements of the first output, labels, hang on rounding.
    """

    allowance: Callable[[Question, Doubles], Doubles] = allowances.family
    laws: tuple[Law, ...] = ()
    exact: bool = False
    copied: bool = False
    sampled: bool = False
    undecided: Callable[[Case, Truth], NDArray[np.bool_]] | None = None


RULES = {
    "Softmax": Rule(laws=PROBABILITIES),
    "LogSoftmax": Rule(laws=PROBABILITIES),
    "Hardmax": Rule(exact=True),
    "Sigmoid": Rule(laws=(simplex, order)),
    "Softplus": Rule(allowances.softplus, laws=(order,)),
    "ReduceLogSumExp": Rule(allowances.log_sum),
    "SoftmaxCrossEntropyLoss": Rule(allowances.loss),
    "NegativeLogLikelihoodLoss": Rule(allowances.loss),
    "ArgMax": Rule(),
    "TopK": Rule(copied=True),
    "Multinomial": Rule(sampled=True),
    "LinearClassifier": Rule(allowances.linear_classifier, undecided=allowances.undecided_labels),
    "Normalizer": Rule(allowances.normalizer),
    "QLinearSoftmax": Rule(allowances.quantized),
    "QLinearSigmoid": Rule(allowances.quantized),
    "Attention": Rule(attention_allowance),
}
"""By operator: a row of the table of operators without an entry here fails a test."""


def allowance(case: Case, truth: Truth, place: int, bound: Bound = "strict") -> Doubles | None:
    """Return how far each element of an output may be from its exact value; None where it must be equal."""
    found = allowances_by(case, truth, place, (bound,))
    return None if found is None else found[bound]


def allowances_by(
    case: Case, truth: Truth, place: int, bounds: Iterable[Bound] = BOUNDS
) -> dict[Bound, Doubles] | None:
    """Return what `allowance` does, by the name of each bound."""
    asked = Question(case, row_of(case), truth, place)
    if asked.exact.dtype != np.longdouble:
        return None
    size = np.nan_to_num(np.abs(asked.exact).astype(np.float64), nan=0, posinf=0)
    with np.errstate(all="ignore"):
        derived = np.nan_to_num(RULES[case.op].allowance(asked, size), nan=0, posinf=np.inf)
    strict = np.asarray(derived + _rounding(asked))
    return {bound: _OTHERS[bound](asked, size, strict) if bound in _OTHERS else strict for bound in bounds}


def _exact(asked: Question, size: Doubles, strict: Doubles) -> Doubles:
    own = promise(asked)
    return strict if own is None else np.minimum(own, strict)


def _webnn(asked: Question, size: Doubles, strict: Doubles) -> Doubles:
    ulps = _ulps_of_webnn(asked) if is_float(asked.dtype) else None
    return strict if ulps is None else ulps * spacing(asked.exact, asked.dtype).astype(np.float64)


def _onnx(asked: Question, size: Doubles, strict: Doubles) -> Doubles:
    if not is_float(asked.dtype):
        return strict
    # Relative to what the tests expect, which is rounded already.
    relative = 2.0**-6 if asked.dtype.name == "bfloat16" else 1e-3
    return np.asarray(relative * size + 1e-7 + _rounding(asked))


_OTHERS: dict[str, Callable[[Question, Doubles, Doubles], Doubles]] = {
    "exact": _exact,
    "webnn": _webnn,
    "onnx": _onnx,
}
"""How the bounds other than the strict one follow from (question, magnitudes, what that allows)."""


def _rounding(asked: Question) -> Doubles | float:
    """The last rounding of a half, which the arithmetic in float32 does not include."""
    if not is_float(asked.dtype) or asked.dtype.itemsize != HALF or RULES[asked.case.op].exact:
        return 0.0
    return np.asarray(spacing(asked.exact, asked.dtype).astype(np.float64) / 2)


def _ulps_of_webnn(asked: Question) -> float | None:
    _, length = lines(asked.row, asked.case.shape, asked.case.axis)
    sigmoid = 10.0 if asked.dtype.name == "float16" else 34.0
    return {
        "Softmax": 3.0 * length + 3,
        "ReduceLogSumExp": 2.0 * length + 18,
        "Softplus": 18.0,
        "Sigmoid": sigmoid,
    }.get(asked.case.op)
