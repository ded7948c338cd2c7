"""What is varied for each operator: shapes, axes, attributes and further inputs, families."""

from __future__ import annotations

from dataclasses import dataclass

from . import makers
from .families import FAMILIES

PLAIN = "gaussian-3"
"""The family of cases that are about something else."""

Shapes = tuple[tuple[int, ...], ...]

_RANKS: Shapes = ((7,), (3, 7), (3, 4, 5), (2, 3, 4, 5), (2, 3, 2, 3, 4))
_EMPTY: Shapes = ((0, 5), (3, 0), (0, 0))
_BIG: Shapes = ((64, 1000), (1, 100_000))

_ALL = 1 << 20


@dataclass(frozen=True)
class Variation:
    """
    What is varied for one operator.

    Attributes
    ----------
    make
        What makes the inputs and attributes of its nodes.
    shape
        Of the first input, for the families.
    variants
        Names of further attributes and inputs (`softops.conformance.cases.makers`); the first is that of the families.
    variant_families, masked_variants
        Families that each further variant is run on, and the variants that go together with masks; None for all.
    ranks, empty, big
        Shapes of other ranks (each along every axis, where the operator has one that can be chosen), empty
        ones, and ones that are worth threads.
    longest
        The longest line that is tried; 0 for none but those of ``shape``.
    tall
        Whether it is tried with more lines than 16 bits count.
    families
        Names of the families; None for all.
    undefined_integers
        Families of which ONNX leaves the result undefined for integers: beyond the range that they are converted to.
    axis
        The axis of ``shape``; None where it cannot be chosen.
    strided
        A shape whose lines do not lie in one piece, for the families as well; None for none.
    """

    make: makers.Maker
    shape: tuple[int, ...] = (13, 37)
    variants: tuple[str, ...] = ("",)
    variant_families: tuple[str, ...] = (PLAIN,)
    masked_variants: tuple[str, ...] | None = None
    ranks: Shapes = _RANKS
    empty: Shapes = _EMPTY
    big: Shapes = ()
    longest: int = _ALL
    tall: bool = False
    families: tuple[str, ...] | None = None
    undefined_integers: tuple[str, ...] = ()
    axis: int | None = 1
    strided: tuple[int, ...] | None = (5, 13, 3)

    @property
    def plain(self) -> str:
        """The family of cases that are about something else."""
        return PLAIN if self.families is None or PLAIN in self.families else "gaussian-1"


_FINITE = tuple(name for name, family in FAMILIES.items() if not family.special)
_MODERATE = tuple(
    name for name in _FINITE if name not in ("offsets", "max-finite", "gaussian-1000", "subnormal")
)
_DECISIONS = (PLAIN, "ties-at-k", "minus-zero")
_LOSS_RANKS: Shapes = ((3, 7), (3, 7, 2), (2, 5, 2, 3), (2, 4, 2, 1, 3))
_LOSS_VARIANTS = (
    *("none", "sum", "mean", "mean+weights", "mean+ignore", "sum+weights+ignore", "none+int32"),
    *("mean+weights+ignore", "none+negative", "mean+weights+negative"),
)
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_LINEAR = (
    *(transform + more for more in ("", "+strings", "+binary") for transform in _TRANSFORMS),
    *("NONE+no-intercepts", "SOFTMAX_ZERO+zeros"),
)
_ATTENTION_FAMILIES = (
    *("gaussian-0.01", "gaussian-1", "gaussian-3", "gaussian-30", "gaps", "minus-zero", "ties", "sorted"),
    *("reversed", "nan-first", "nan-middle", "nan-last", "mask-additive", "mask-boolean", "masked-rows"),
    "non-contiguous",
)
_ATTENTION_VARIANTS = (
    *("", "causal", "softcap", "scale", "grouped", "3d", "past", "past+causal", "past+scores"),
    *("past+capped", "past+masked", "past+probabilities", "window", "padded"),
)

VARIATIONS = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), Variation(makers.along_axis, big=_BIG, tall=True)),
    **dict.fromkeys(
        ("Sigmoid", "Softplus"), Variation(makers.elementwise, axis=None, strided=None, big=_BIG)
    ),
    "ReduceLogSumExp": Variation(
        makers.reduction,
        variants=("", "keepdims=0", "all", "several", "noop", "empty-axes", "empty-axes+noop"),
        undefined_integers=("max-finite", "equal"),
        big=_BIG,
        tall=True,
    ),
    "SoftmaxCrossEntropyLoss": Variation(
        makers.loss, variants=(*_LOSS_VARIANTS, "mean+log_prob"), ranks=_LOSS_RANKS, empty=(), axis=None
    ),
    "NegativeLogLikelihoodLoss": Variation(
        makers.loss, variants=_LOSS_VARIANTS, ranks=_LOSS_RANKS, empty=(), axis=None
    ),
    "ArgMax": Variation(
        makers.arg_max,
        variants=("", "keepdims=0", "last"),
        variant_families=_DECISIONS,
        empty=((0, 5),),
        big=_BIG,
        tall=True,
    ),
    "TopK": Variation(
        makers.top_k,
        variants=("", "smallest", "k=1", "k=all", "unsorted"),
        variant_families=_DECISIONS,
        empty=((0, 5),),
        longest=4097,
        tall=True,
    ),
    "Multinomial": Variation(
        makers.multinomial,
        (4, 6),
        ("", "int64"),
        ranks=(),
        longest=0,
        empty=(),
        axis=None,
        strided=None,
        families=("gaussian-1", "gaussian-3", "equal", "minus-inf-one", "minus-inf-some", "ties"),
    ),
    "LinearClassifier": Variation(
        makers.linear_classifier,
        (13, 4),
        _LINEAR,
        ranks=((1, 4), (3, 1)),
        empty=(),
        axis=None,
        strided=None,
        families=_MODERATE,
        longest=257,
    ),
    "Normalizer": Variation(
        makers.normalizer,
        (13, 9),
        ("MAX", "L1", "L2"),
        ranks=((3, 7),),
        axis=None,
        strided=None,
        families=_MODERATE,
        empty=(),
    ),
    "QLinearSoftmax": Variation(
        makers.quantized, variants=("", "flatten", "coarse"), families=_MODERATE, empty=(), longest=4097
    ),
    "QLinearSigmoid": Variation(
        makers.quantized,
        variants=("", "coarse"),
        families=_MODERATE,
        axis=None,
        strided=None,
        empty=(),
        longest=4097,
    ),
    "Attention": Variation(
        makers.attention,
        (2, 4, 5, 8),
        _ATTENTION_VARIANTS,
        variant_families=(PLAIN, "mask-boolean"),
        masked_variants=("causal", "softcap", "grouped"),
        ranks=((1, 2, 1, 1), (1, 2, 3, 16), (2, 2, 1, 5), (1, 2, 7, 33), (1, 2, 5, 64)),
        longest=0,
        empty=(),
        axis=None,
        strided=None,
        families=_ATTENTION_FAMILIES,
    ),
}
"""By operator: a row of the table without an entry here fails a test."""
