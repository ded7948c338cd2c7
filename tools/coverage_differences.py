"""Calls on which runtimes differ, each with the reason why softops does what it does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from softops.opset import Operator, operator

from .coverage_probes import Call, outcome
from .coverage_runners import Runner

NAN, INF = np.nan, np.inf
X = np.float32(np.random.default_rng(0).standard_normal((2, 3, 4)))
ONE = {"coefficients": [1.0], "intercepts": [0.0], "classlabels_ints": [0, 1]}
TWO = {"coefficients": [1.0, 0.5], "intercepts": [0.0, 0.0], "classlabels_ints": [0, 1]}
HALF = np.float32([[0.25], [-0.75]])
QKV = [np.float32(np.random.default_rng(i).standard_normal((1, 2, 3, 4))) for i in range(3)]


class Difference(NamedTuple):
    """A call, what it shows, and the reason."""

    row: Operator
    call: Call
    what: str
    why: str


def _flatten(op_type: str, version: int) -> Difference:
    why = "up to opset 12 the array is read as a matrix; onnx.reference has one implementation, that of 13"
    return Difference(operator(op_type, version), Call([X]), "rank 3, default axis", why)


def differences() -> list[Difference]:
    """Return all that are known; a test holds that each still is one."""
    ml, contrib = "ai.onnx.ml", "com.microsoft"
    classifier, normalizer = operator("LinearClassifier", 1, ml), operator("Normalizer", 1, ml)
    attention = operator("Attention", 24)
    scale, zero = np.array(1, np.float32), np.array(0, np.uint8)
    return [
        *(_flatten(name, version) for name in ("Softmax", "LogSoftmax", "Hardmax") for version in (1, 11)),
        Difference(
            operator("LogSoftmax", 13),
            Call([np.float32([[0, 200]])]),
            "a gap of 200",
            "log softmax is -200 there; onnx.reference takes the logarithm of a softmax that is 0",
        ),
        Difference(
            operator("Hardmax", 13),
            Call([np.float32([[1, NAN, 3]])]),
            "a NaN",
            "a NaN counts as the largest, as in numpy.argmax; ONNX does not speak of it",
        ),
        Difference(
            operator("ReduceLogSumExp", 18),
            Call([np.int32([-3, -2, -9])]),
            "integers, a negative result",
            "-1.69 cut off towards zero is -1, as by the Cast of the function body; onnxruntime adds the cut-off "
            "logarithm, 0, to the maximum",
        ),
        Difference(
            operator("ArgMax", 13),
            Call([np.float32([[1, NAN, 3]])], axis=1),
            "a NaN",
            "a NaN counts as the largest, as in numpy.argmax and in TopK; ONNX does not speak of it",
        ),
        Difference(
            operator("Multinomial", 7),
            Call([np.zeros((2, 9), np.float32)], seed=1.0, sample_size=20),
            "a seed",
            "ONNX names no generator: every runtime has its own stream",
        ),
        Difference(
            classifier,
            Call([HALF], **ONE, post_transform="NONE"),
            "one score, no transform",
            "[1 - s, s], as onnxruntime; ONNX does not say what the second score is",
        ),
        Difference(
            classifier,
            Call([HALF], **ONE, post_transform="SOFTMAX"),
            "one score, SOFTMAX",
            "[1 - s, s] once more, as onnxruntime",
        ),
        Difference(
            classifier,
            Call([np.float32([[0.25], [0.75]])], **ONE, post_transform="PROBIT"),
            "one score, PROBIT",
            "the quantiles of 1 - s and s; onnxruntime leaves half of the scores unset",
        ),
        Difference(
            classifier,
            Call([np.float32([[0.9], [0.6]])], **TWO, post_transform="PROBIT"),
            "PROBIT",
            "the quantile of the normal distribution; the others take an approximation with four right digits",
        ),
        Difference(
            classifier,
            Call([np.float32([[0.0]])], **TWO, post_transform="SOFTMAX_ZERO"),
            "SOFTMAX_ZERO of zeros",
            "a score of 0 stays 0, so all do",
        ),
        Difference(
            classifier,
            Call([HALF], coefficients=[1.0, 0.5], classlabels_ints=[0, 1]),
            "no intercepts",
            "they are optional, so they are 0",
        ),
        Difference(
            normalizer,
            Call([np.float32([[1, -2]])], norm="MAX"),
            "MAX with a larger magnitude below 0",
            "the text divides by the maximum, not by the largest magnitude",
        ),
        Difference(
            normalizer, Call([np.float32([3, 4])], norm="L2"), "one vector", "the text allows the shape (C,)"
        ),
        Difference(
            operator("QLinearSigmoid", 1, contrib),
            Call([np.uint8([3]), scale, None, np.array(1 / 256, np.float32), zero]),
            "as such",
            "an operator of onnxruntime, which onnx.reference does not know",
        ),
        Difference(
            attention,
            Call(QKV, softcap=-2.0),
            "a negative softcap",
            "c tanh(x / c) is even in c, and the function body caps by any c but 0; the others take it for none",
        ),
    ]


def outcomes(difference: Difference, runners: tuple[Runner, ...]) -> list[str]:
    """Return what becomes of the call in each runtime."""
    return [outcome(difference.row, difference.call, runner) for runner in runners]
