"""
The hypotheses, each with its name, the words in which a report tells it, and the function that tries it.

To add one: a function from `Seen` to whether the outputs are what they would be, and a row here. What is more
particular stands before what is more general: of two that explain the same cases the first is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..cases.build import Truth, truth
from ..cases.case import Case
from ..verdicts.agreement import agree
from ..verdicts.record import Fit
from ..verdicts.verdicts import formed
from . import meanings, precisions, special, tails
from .seen import Array, Seen, right_outputs

_MOST_ELEMENTS = 120_000
"""Of larger arrays nothing is tried: it would take longer than to judge them."""


@dataclass(frozen=True)
class Hypothesis:
    """
    A hypothesis: a report says ``as if`` and its words, ``{}`` standing for the number that is open.

    ``any_form``: it may also explain why outputs have another shape; ``by_elements``: it goes by the elements of the
    first output that are wrong.
    """

    name: str
    words: str
    fit: Callable[[Seen], Fit | bool | None]
    any_form: bool = False
    by_elements: bool = False

    def tried(self, seen: Seen) -> Fit | bool | None:
        """Return how it fits the outputs; False where it does not, None where it says nothing of such a case."""
        try:
            with np.errstate(all="ignore"):
                found = self.fit(seen)
        except (ValueError, TypeError, LookupError, AssertionError, ArithmeticError):
            return None
        return Fit(name=self.name) if found is True else found


# Numbers of bfloat16 are numbers of float16 as well, within its range, and of float32.
_F16, _BF16, _F32 = precisions.FLOAT16, precisions.BFLOAT16, precisions.FLOAT32

_ALL = (
    Hypothesis(
        "axis rule of 13", "the axis rule of opset 13 held: along one axis alone", meanings.newer_axis_rule
    ),
    Hypothesis(
        "axis rule of 13, old default",
        "the axis rule of opset 13 held: along one axis alone",
        meanings.newer_axis_rule_old_default,
    ),
    Hypothesis(
        "axis rule below 13",
        "the axis rule below opset 13 held: over all axes from the given one on",
        meanings.older_axis_rule,
    ),
    Hypothesis(
        "axis rule below 13, new default",
        "the axis rule below opset 13 held: over all axes from the given one on",
        meanings.older_axis_rule_new_default,
    ),
    Hypothesis(
        "last axis", "it ran along the last axis, whatever the node says", meanings.last_axis, any_form=True
    ),
    Hypothesis("axis 1", "it ran along axis 1, whatever the node says", meanings.second_axis, any_form=True),
    Hypothesis("axis 0", "it ran along axis 0, whatever the node says", meanings.first_axis, any_form=True),
    Hypothesis("default axis -1", "the default axis were -1", meanings.default_axis(-1), any_form=True),
    Hypothesis("default axis 1", "the default axis were 1", meanings.default_axis(1), any_form=True),
    Hypothesis("last of equals", "the last of equal scores won, not the first", meanings.last_of_equals),
    Hypothesis("flushed", "results below {} were set to 0", tails.flushed, by_elements=True),
    Hypothesis("floored", "results below {} were raised to it", tails.floored, by_elements=True),
    Hypothesis(
        "log of softmax",
        "it were the logarithm of a softmax that was rounded before",
        tails.log_of_softmax,
        by_elements=True,
    ),
    Hypothesis(
        "no maximum",
        "the exponentials were of the inputs themselves, without their maximum subtracted, and over- or underflow",
        tails.no_maximum,
        by_elements=True,
    ),
    Hypothesis(
        "sums in bfloat16", "the sums were taken in bfloat16", precisions.sums_in(_BF16), by_elements=True
    ),
    Hypothesis(
        "all in bfloat16",
        "it were computed in bfloat16",
        precisions.all_in("all in bfloat16", _BF16),
        by_elements=True,
    ),
    Hypothesis(
        "sums in float16", "the sums were taken in float16", precisions.sums_in(_F16), by_elements=True
    ),
    Hypothesis(
        "all in float16",
        "it were computed in float16",
        precisions.all_in("all in float16", _F16),
        by_elements=True,
    ),
    Hypothesis(
        "all in float32",
        "it were computed in float32",
        precisions.all_in("all in float32", _F32),
        by_elements=True,
    ),
    Hypothesis("nan as -inf", "a NaN were passed over", special.reads("nan", -math.inf)),
    Hypothesis("nan only first", "a NaN were passed over unless it stands first", special.nan_only_first),
    Hypothesis("nan as 0", "a NaN among the inputs were 0", special.reads("nan", 0.0)),
    Hypothesis("0 for nan", "0 were written where NaN belongs", special.writes(np.nan, 0.0)),
    Hypothesis("0 for -inf", "0 were written where -inf belongs", special.writes(-np.inf, 0.0)),
    Hypothesis("no 1 for nan", "a line with a NaN had no largest element", special.no_one_for_nan),
    Hypothesis("inf as finite", "+inf were the largest finite number", special.reads("inf", math.inf)),
    Hypothesis(
        "empty is uniform",
        "a line of nothing but -inf were uniform",
        special.line_is("uniform", only_empty=True),
    ),
    Hypothesis(
        "empty is 0",
        "a line of nothing but -inf had probabilities of 0",
        special.line_is("0", only_empty=True),
    ),
    Hypothesis(
        "nan is uniform",
        "a line that is to be NaN were uniform",
        special.line_is("uniform", only_empty=False),
    ),
    Hypothesis("-inf as finite", "-inf were the lowest finite number", special.reads("-inf", -math.inf)),
    Hypothesis("negated", "the sign of the inputs were turned round", meanings.scaled(-1.0)),
    Hypothesis("base 2", "powers were taken of 2, not of e", meanings.scaled(math.log(2))),
    Hypothesis("softmax", "it were a Softmax", meanings.of_operator("Softmax")),
    Hypothesis("log softmax", "it were a LogSoftmax", meanings.of_operator("LogSoftmax")),
    Hypothesis("mean over all", "a mean were over the ignored labels too", meanings.mean_over_all),
    Hypothesis("no scale", "the scores were not scaled", meanings.unscaled),
    Hypothesis("mask inverted", "the mask hid what it should let through", meanings.mask_inverted),
    Hypothesis(
        "integers as float32", "integers were converted to float32 before", meanings.integers_as(np.float32)
    ),
    Hypothesis(
        "integers as float64", "integers were converted to float64 before", meanings.integers_as(np.float64)
    ),
    Hypothesis("rounded", "integer results were rounded, not cut off", meanings.rounded_not_cut_off),
    Hypothesis("cut off", "integer results were cut off, not rounded", meanings.cut_off_not_rounded),
    *(
        Hypothesis(
            f"ignores {name}",
            f"the attribute {name} were not looked at",
            meanings.ignores(name),
            any_form=True,
        )
        for name in (
            *("axis", "axes", "keepdims", "select_last_index", "largest", "sorted", "noop_with_empty_axes"),
            *("reduction", "ignore_index", "scale", "softcap", "is_causal", "post_transform", "intercepts"),
            *("left_window_size", "right_window_size", "qk_matmul_output_mode", "norm"),
        )
    ),
    *(
        Hypothesis(f"ignores {name}", f"the input {name} were not looked at", meanings.ignores_input(name))
        for name in ("weights", "attn_mask", "nonpad_kv_seqlen")
    ),
)

HYPOTHESES = {hypothesis.name: hypothesis for hypothesis in _ALL}
"""By name, in the order in which they are told."""


def fits_of(case: Case, known: Truth, outputs: list[Array]) -> tuple[Fit, ...]:
    """Return the hypotheses that explain wrong outputs; none where the elements are right."""
    if sum(exact.size for exact in known.exact) > _MOST_ELEMENTS or agree(case, known, outputs):
        return ()
    seen = Seen(case, known, outputs)
    fine = all(check.passed for check in formed(known, outputs))
    elements = fine and seen.is_float and bool(seen.wrong.any())
    asked = [one for one in _ALL if (elements or not one.by_elements) and (fine or one.any_form)]
    found = (hypothesis.tried(seen) for hypothesis in asked)
    return tuple(fit for fit in found if isinstance(fit, Fit))


def fit_of_right(name: str, case: Case) -> Fit | bool | None:
    """
    Return how a hypothesis fits the right outputs of a case.

    Where it does not (False), a case that came out right speaks against it; None where the case says nothing of it.
    """
    known = truth(case)
    if sum(exact.size for exact in known.exact) > _MOST_ELEMENTS:
        return None
    return HYPOTHESES[name].tried(Seen(case, known, right_outputs(case, known)))
