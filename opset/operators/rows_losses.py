"""Rows of the table: SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss."""

from __future__ import annotations

from ..oracle import arbitrary_precision as reference_mpmath
from ..oracle import losses as reference_losses
from ..oracle.arbitrary_precision import to_odd
from ..oracle.normalizers import log_softmax
from . import kernels, reference_operators
from .attribute import Attribute
from .dtypes import INDICES, floats
from .row import Computed, Operator, Parameter


def _loss(
    op_type: str,
    since_version: int,
    names: tuple[str, str, str],
    outputs: tuple[Parameter, ...],
    computed: Computed,
    *,
    bfloat16: bool,
) -> Operator:
    scores, labels, weights = names
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule="single",
        default_axis=1,
        types={"T": floats(bfloat16), "Tind": INDICES},
        inputs=(Parameter(scores, "T"), Parameter(labels, "Tind"), Parameter(weights, "T", optional=True)),
        outputs=outputs,
        attributes={"ignore_index": Attribute("int"), "reduction": Attribute("string", "mean")},
        **computed._asdict(),
        notes=(
            "A mean without a single label that counts (or of weight 0 in all) is NaN: 0 / 0. onnxruntime gives 0 "
            "where there are no labels at all.",
            "With ignore_index the mean divides by the number, or the weight, of the labels that count, as the "
            "function body does; the text speaks of the number of elements.",
            "A label outside [0, C) that is not ignored is an error.",
        ),
    )


_CROSS_ENTROPY = Computed(
    kernels.softmax_cross_entropy,
    reference_operators.softmax_cross_entropy(reference_losses.cross_entropy, log_softmax),
    reference_operators.softmax_cross_entropy(
        to_odd(reference_mpmath.cross_entropy), to_odd(reference_mpmath.log_softmax)
    ),
)
_NLL = Computed(
    kernels.negative_log_likelihood,
    reference_operators.negative_log_likelihood(reference_losses.nll_loss),
    reference_operators.negative_log_likelihood(to_odd(reference_mpmath.nll_loss)),
)

_SCE_NAMES = ("scores", "labels", "weights")
_SCE_OUTPUTS = (Parameter("output", "T"), Parameter("log_prob", "T", optional=True))
_NLL_NAMES = ("input", "target", "weight")
_NLL_OUTPUTS = (Parameter("loss", "T"),)

ROWS: tuple[Operator, ...] = (
    _loss("SoftmaxCrossEntropyLoss", 12, _SCE_NAMES, _SCE_OUTPUTS, _CROSS_ENTROPY, bfloat16=False),
    _loss("SoftmaxCrossEntropyLoss", 13, _SCE_NAMES, _SCE_OUTPUTS, _CROSS_ENTROPY, bfloat16=True),
    _loss("NegativeLogLikelihoodLoss", 12, _NLL_NAMES, _NLL_OUTPUTS, _NLL, bfloat16=False),
    _loss("NegativeLogLikelihoodLoss", 13, _NLL_NAMES, _NLL_OUTPUTS, _NLL, bfloat16=False),
    _loss("NegativeLogLikelihoodLoss", 22, _NLL_NAMES, _NLL_OUTPUTS, _NLL, bfloat16=True),
)
