"""Which cases the suite has: operator × version × dtype × axis × shape × family × variant × form × setting."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import onnx

from softops.opset.operators import Operator, operator, operators

from .case import Case
from .families import FAMILIES, Family
from .forms import FORMS

Depth = Literal["quick", "default", "full"]
DEPTHS: tuple[Depth, ...] = get_args(Depth)

PLAIN = "gaussian-3"
"""The family of cases that are about something else."""

_RANKS: tuple[tuple[int, ...], ...] = ((7,), (3, 7), (3, 4, 5), (2, 3, 4, 5), (2, 3, 2, 3, 4))
_LENGTHS = (
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    129,
    255,
    256,
    257,
    1000,
    4096,
    4097,
)
_QUICK_LENGTHS = (1, 7, 8, 9, 64, 65, 1000)
_HUGE = (32768, 131072)
_FULL_LENGTHS = (
    *range(1, 70),
    127,
    128,
    129,
    255,
    256,
    257,
    511,
    512,
    513,
    1000,
    1023,
    1024,
    1025,
    4096,
    4097,
)
_EMPTY: tuple[tuple[int, ...], ...] = ((0, 5), (3, 0), (0, 0))
_BIG: tuple[tuple[int, ...], ...] = ((64, 1000), (1, 100_000))
_QUICK_DTYPES = ("float32", "float16", "uint8")


@dataclass(frozen=True)
class Plan:
    """
    What is varied for one operator.

    Attributes
    ----------
    shape
        Of the first input, for the families.
    variants
        Names of further attributes and inputs; the first is that of the families.
    ranks, lengths, empty, big
        Shapes of other ranks (each along every axis, where the operator has one that can be chosen),
        shapes that `_LENGTHS` is put into as the last dimension, empty ones, and ones that are worth
        threads.
    families
        Names of the families; None for all.
    axis
        The axis of ``shape``; None where it cannot be chosen.
    """

    shape: tuple[int, ...] = (13, 37)
    variants: tuple[str, ...] = ("",)
    ranks: tuple[tuple[int, ...], ...] = _RANKS
    lengths: bool = True
    empty: tuple[tuple[int, ...], ...] = _EMPTY
    big: tuple[tuple[int, ...], ...] = ()
    families: tuple[str, ...] | None = None
    axis: int | None = 1
    strided: tuple[int, ...] | None = (5, 13, 3)
    longest: int = 1 << 20

    @property
    def has_axis(self) -> bool:
        """Whether the axis can be chosen."""
        return self.axis is not None


_FINITE = tuple(name for name, family in FAMILIES.items() if not family.special)
_MODERATE = tuple(
    name for name in _FINITE if name not in ("offsets", "max-finite", "gaussian-1000", "subnormal")
)
_LOSS_RANKS: tuple[tuple[int, ...], ...] = ((3, 7), (3, 7, 2), (2, 5, 2, 3), (2, 4, 2, 1, 3))
_LOSS_VARIANTS = (
    "none",
    "sum",
    "mean",
    "mean+weights",
    "mean+ignore",
    "sum+weights+ignore",
    "none+int32",
    "mean+weights+ignore",
)
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_LINEAR = (
    *(transform + more for more in ("", "+strings", "+binary") for transform in _TRANSFORMS),
    "NONE+no-intercepts",
)
_ATTENTION_FAMILIES = (
    *(
        "gaussian-0.01",
        "gaussian-1",
        "gaussian-3",
        "gaussian-30",
        "gaps",
        "minus-zero",
        "ties",
        "sorted",
        "reversed",
    ),
    *(
        "nan-first",
        "nan-middle",
        "nan-last",
        "mask-additive",
        "mask-boolean",
        "masked-rows",
        "non-contiguous",
    ),
)

_PLANS = {
    **{name: Plan(big=_BIG) for name in ("Softmax", "LogSoftmax", "Hardmax")},
    **{name: Plan(axis=None, strided=None, big=_BIG) for name in ("Sigmoid", "Softplus")},
    "ReduceLogSumExp": Plan(variants=("", "keepdims=0", "all", "several", "noop"), big=_BIG),
    "SoftmaxCrossEntropyLoss": Plan(
        variants=(*_LOSS_VARIANTS, "mean+log_prob"),
        ranks=_LOSS_RANKS,
        empty=(),
        axis=None,
        strided=(5, 13, 3),
    ),
    "NegativeLogLikelihoodLoss": Plan(
        variants=_LOSS_VARIANTS, ranks=_LOSS_RANKS, empty=(), axis=None, strided=(5, 13, 3)
    ),
    "ArgMax": Plan(variants=("", "keepdims=0", "last"), empty=((0, 5),), big=_BIG),
    "TopK": Plan(variants=("", "smallest", "k=1", "k=all"), empty=((0, 5),), longest=4097),
    "Multinomial": Plan(
        (4, 6),
        ("", "int64"),
        ranks=(),
        lengths=False,
        empty=(),
        axis=None,
        strided=None,
        families=("gaussian-1", "gaussian-3", "equal", "minus-inf-one", "minus-inf-some", "ties"),
    ),
    "LinearClassifier": Plan(
        (13, 4),
        _LINEAR,
        ranks=((1, 4), (3, 1)),
        lengths=True,
        empty=(),
        axis=None,
        strided=None,
        families=_MODERATE,
        longest=257,
    ),
    "Normalizer": Plan(
        (13, 9),
        ("MAX", "L1", "L2"),
        ranks=((3, 7),),
        axis=None,
        strided=None,
        families=_MODERATE,
        empty=(),
    ),
    "QLinearSoftmax": Plan(variants=("", "flatten", "coarse"), families=_MODERATE, empty=(), longest=4097),
    "QLinearSigmoid": Plan(
        variants=("", "coarse"), families=_MODERATE, axis=None, strided=None, empty=(), longest=4097
    ),
    "Attention": Plan(
        (2, 2, 5, 8),
        ("", "causal", "softcap", "scale", "grouped", "3d", "past", "window", "padded"),
        ranks=((1, 2, 1, 1), (1, 2, 3, 16), (2, 2, 1, 5), (1, 2, 7, 33), (1, 2, 5, 64)),
        lengths=False,
        empty=(),
        axis=None,
        strided=None,
        families=_ATTENTION_FAMILIES,
    ),
}
"""What is varied, by operator: a row of the table without a line here fails a test."""


def cases(
    *,
    ops: Iterable[str] | None = None,
    opsets: Iterable[int] | None = None,
    dtypes: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    depth: Depth = "default",
    seed: int = 0,
    settings: Sequence[str] = (),
) -> list[Case]:
    """
    Return the cases in the order of the table; of those that no choice leaves out.

    Parameters
    ----------
    ops
        Names of operators, with or without their domain; all by default.
    opsets
        Versions of the operators' domains to be imported; by default each at which an operator changed,
        and in a full run the last before the next change as well.
    dtypes, families
        Names; all by default.
    depth
        ``quick``: the families in three dtypes; ``full``: every form, length and family, three times.
    seed
        What the inputs are made from.
    settings
        Of the runtime: each is tried on a few cases.

    Raises
    ------
    ValueError
        A name is not known, or nothing is left.
    """
    wanted = _rows(ops, opsets, depth)
    kinds = _known("dtype", dtypes, {name for row, _ in wanted for name in row.dtypes})
    chosen = _known("family", families, FAMILIES)
    found: dict[Case, None] = {}
    for row, opset in wanted:
        plan = _PLANS[row.op_type]
        for dtype in row.dtypes:
            if kinds is None and depth == "quick" and dtype not in _QUICK_DTYPES:
                continue
            if kinds is None or dtype in kinds:
                sweep = _Sweep(row, opset, dtype, plan, depth, seed, tuple(settings))
                found.update(
                    (case, None) for case in sweep.cases() if chosen is None or case.family in chosen
                )
    if not found:
        message = "expected at least one case (got none for this choice); choose fewer restrictions"
        raise ValueError(message)
    return list(found)


@dataclass(frozen=True)
class _Sweep:
    """The cases of one operator at one opset in one dtype."""

    row: Operator
    opset: int
    dtype: str
    plan: Plan
    depth: Depth
    seed: int
    settings: tuple[str, ...]

    def cases(self) -> Iterator[Case]:
        plan, quick = self.plan, self.depth == "quick"
        for seed in range(self.seed, self.seed + (3 if self.depth == "full" else 1)):
            for family in self._families():
                yield self._case(plan.shape, family=family.name, seed=seed)
            if plan.strided and not quick:
                for family in self._families():
                    yield self._case(plan.strided, family=family.name, seed=seed)
        for variant in plan.variants[1:]:
            if self._has(variant):
                for name in self._variant_families():
                    yield self._case(plan.shape, variant=variant, family=name)
        yield from self._axes()
        yield from self._lengths()
        if not quick:
            for shape in plan.empty:
                if self.row.axis_rule != "flatten" or 0 not in shape[:1]:
                    yield self._case(shape)
        yield from self._forms()
        yield from self._asked()

    def _families(self) -> list[Family]:
        floats = self.dtype.startswith(("float", "bfloat")) or self.row.domain == "com.microsoft"
        return [
            family
            for name, family in FAMILIES.items()
            if (self.plan.families is None or name in self.plan.families)
            and (floats or family.integers)
            # Beyond the range of an integer, ONNX leaves its conversion undefined.
            and (floats or self.row.op_type != "ReduceLogSumExp" or name not in ("max-finite", "equal"))
        ]

    def _variant_families(self) -> list[str]:
        names = {family.name for family in self._families()}
        wanted = (PLAIN, "ties-at-k", "minus-zero") if self.row.op_type in ("ArgMax", "TopK") else (PLAIN,)
        return [name for name in wanted if name in names] or ["gaussian-1"]

    def _has(self, variant: str) -> bool:
        row = self.row
        return {
            "last": "select_last_index" in row.attributes,
            "smallest": "largest" in row.attributes,
            "noop": "noop_with_empty_axes" in row.attributes,
            "window": "left_window_size" in row.attributes,
            "padded": len(row.inputs) > 6,
        }.get(variant, True)

    def _axes(self) -> Iterator[Case]:
        for shape in self.plan.ranks:
            if not self.plan.has_axis:
                yield self._case(shape)
                continue
            rank = len(shape)
            # Below opset 11 the text does not speak of negative axes.
            axes = range(-rank if self.row.since_version >= 11 or self.row.domain else 0, rank)
            if self.depth == "quick":
                axes = range(0, rank, 2)
            for axis in axes:
                yield self._case(shape, axis=axis)
            default = self.row.default_axis
            if default is not None and -rank <= default < rank:
                yield self._case(shape, axis=None)

    def _lengths(self) -> Iterator[Case]:
        if not self.plan.lengths:
            return
        lengths = {"quick": _QUICK_LENGTHS, "default": _LENGTHS, "full": _FULL_LENGTHS}[self.depth]
        huge = {"quick": (), "default": _HUGE if self.dtype == "float32" else _HUGE[:1], "full": _HUGE}[
            self.depth
        ]
        # With no length in the model, it is loaded once for all of them.
        form = "dynamic" if self.row.domain != "ai.onnx.ml" else "plain"
        for length in (*lengths, *huge):
            if length <= self.plan.longest:
                yield self._case((3 if length < 10_000 else 2, length), form=form)

    def _forms(self) -> Iterator[Case]:
        there = [family.name for family in self._families()]
        plain = PLAIN if PLAIN in there else "gaussian-1"
        for form in self._wanted_forms():
            for name in there if self.depth == "full" else [plain]:
                yield self._case(self.plan.shape, form=form, family=name)

    def _wanted_forms(self) -> list[str]:
        # An If gives bfloat16 out since version 16 alone.
        no_branches = self.dtype == "bfloat16" and not self.row.domain and self.opset < 16
        names = FORMS if self.depth != "quick" else ("plain", "transposed")
        return [name for name in names if name != "subgraph" or not no_branches]

    def _asked(self) -> Iterator[Case]:
        for setting in self.settings:
            if setting.startswith("threads="):
                for shape in self.plan.big if self.depth != "quick" else self.plan.big[:1]:
                    yield self._case(shape, form="dynamic", setting=setting)
            elif self.depth != "quick":
                for form in ("plain", "chained") if self.depth == "default" else self._wanted_forms():
                    yield self._case(self.plan.shape, form=form, setting=setting)

    def _case(
        self,
        shape: tuple[int, ...],
        *,
        axis: int | Literal["of plan"] | None = "of plan",
        family: str | None = None,
        variant: str | None = None,
        form: str = "plain",
        setting: str = "",
        seed: int | None = None,
    ) -> Case:
        return Case(
            op=self.row.op_type,
            domain=self.row.domain,
            opset=self.opset,
            dtype=self.dtype,
            axis=self.plan.axis if axis == "of plan" else axis,
            shape=shape,
            family=family
            or (PLAIN if self.plan.families is None or PLAIN in self.plan.families else "gaussian-1"),
            seed=self.seed if seed is None else seed,
            variant=self.plan.variants[0] if variant is None else variant,
            form=form,
            setting=setting,
        )


def _rows(
    ops: Iterable[str] | None, opsets: Iterable[int] | None, depth: Depth
) -> list[tuple[Operator, int]]:
    names = _known("operator", ops, {name for row in operators() for name in (row.op_type, _qualified(row))})
    rows = [row for row in operators() if names is None or {row.op_type, _qualified(row)} & names]
    if opsets is None:
        versions = [(row, row.since_version) for row in rows]
        if depth == "full":
            versions += [(row, last) for row in rows if (last := _last(row)) > row.since_version]
        order = {id(row): place for place, row in enumerate(rows)}
        return sorted(versions, key=lambda entry: (order[id(entry[0])], entry[1]))
    found: dict[tuple[str, str, int], tuple[Operator, int]] = {}
    for row in rows:
        for opset in opsets if not isinstance(opsets, int) else (opsets,):
            if row.since_version <= opset <= _last(row):
                found[row.domain, row.op_type, opset] = (row, opset)
    if not found:
        message = (
            f"expected opsets at which one of the operators exists (got {', '.join(map(str, opsets))}); "
            "see softops operators"
        )
        raise ValueError(message)
    return list(found.values())


def _last(row: Operator) -> int:
    """Return the last opset at which a row holds, as far as the installed onnx knows."""
    if row.domain:
        return row.since_version
    newest = onnx.defs.onnx_opset_version()
    return max(opset for opset in range(row.since_version, newest + 1) if operator(row.op_type, opset) is row)


def _qualified(row: Operator) -> str:
    return f"{row.domain or 'ai.onnx'}.{row.op_type}"


def _known(what: str, given: Iterable[str] | None, known: Iterable[str]) -> set[str] | None:
    if given is None:
        return None
    names, everything = [given] if isinstance(given, str) else list(given), list(known)
    for name in names:
        if name not in everything:
            near = difflib.get_close_matches(name, everything, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(sorted(everything))}"
            message = f"expected the name of a known {what} (got {name!r}); {hint}"
            raise ValueError(message)
    return set(names)
