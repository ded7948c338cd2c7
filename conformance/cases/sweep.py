"""The cases of one operator at one opset in one dtype: how much of what can be varied a run of some depth asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from softops.opset import Operator, operators

from .calls import case_of
from .case import Case
from .families import FAMILIES, Family
from .graphs import FORMS
from .variations import PLAIN, VARIATIONS, Variation

Depth = Literal["quick", "default", "full"]

QUICK_DTYPES = ("float32", "float16", "uint8")
"""What a quick run tries on every family; of the others it has what a dtype may fail in alone (see `Sweep.brief`)."""

_BRIEF_LENGTHS = (257, 1025)
_BRIEF_FAMILIES = ("max-finite", "subnormal")
"""Those of a brief sweep besides the special ones."""

_AROUND = (*(1, 2, 3, 4, 5, 7, 8, 9), *(n + i for n in (16, 32, 64, 128, 256) for i in (-1, 0, 1)))
"""Around the lengths of vectors and blocks."""

_LENGTHS: dict[Depth, tuple[int, ...]] = {
    "quick": (1, 7, 8, 9, 17, 64, 65, 257, 1000, 4097),
    "default": (*_AROUND, 1000, 4096, 4097),
    "full": (
        *range(1, 70),
        *(n + i for n in (128, 256, 512, 1024) for i in (-1, 0, 1)),
        *(1000, 4096, 4097),
    ),
}
_HUGE = (32768, 131072)
_TALL = (70_000, 3)
_SEEDS_OF_FULL = 10
_VARIANTS_OF_OTHERS = 2
"""Of an operator's variants so many are run in integers, unless the run is a full one."""

THREADS = "threads="


@dataclass(frozen=True)
class Sweep:
    """
    The cases of one operator at one opset in one dtype.

    ``brief``: only what a dtype may fail in alone, the special values and the sums of long lines, in the newest of the
    versions that read alike.
    """

    row: Operator
    opset: int
    dtype: str
    depth: Depth
    seed: int
    settings: tuple[str, ...]
    brief: bool = False

    @property
    def variation(self) -> Variation:
        """What is varied for the operator."""
        return VARIATIONS[self.row.op_type]

    @property
    def leads(self) -> bool:
        """
        Whether axes, attributes and graphs are varied in this dtype as far as they are in any.

        Runtimes have one way of reading them for all dtypes, mostly: so float32 stands for the others, in a quick
        run in the newest of the versions that read alike. An operator without float32 has none that leads.
        """
        if self.depth == "full":
            return True
        if self.depth == "quick" and not _is_newest_of_its_kind(self.row):
            return False
        return self.dtype == "float32" or "float32" not in self.row.dtypes

    @property
    def follows(self) -> bool:
        """Whether they are varied somewhat: in the other floats, but not in a quick run."""
        return self.leads or (self.depth == "default" and "float" in self.dtype)

    def cases(self) -> Iterator[Case]:
        """Yield them, those of one model next to each other; some are among them twice."""
        if self.brief:
            yield from self._briefly()
            return
        yield from self._of_families()
        yield from self._variants()
        yield from self._axes()
        if self.follows and self.depth != "quick":
            for shape in self.variation.empty:
                if self.row.axis_rule != "flatten" or 0 not in shape[:1]:
                    yield self._case(shape)
        yield from self._lengths()
        yield from self._forms()
        yield from self._asked()

    def _briefly(self) -> Iterator[Case]:
        if not _is_newest_of_its_kind(self.row):
            return
        yield self._case(self.variation.shape)
        for family in self._families():
            if family.special or family.name in _BRIEF_FAMILIES:
                yield self._case(self.variation.shape, family=family.name)
        yield from self._of_lengths(_BRIEF_LENGTHS)

    def _of_families(self) -> Iterator[Case]:
        shape, strided = self.variation.shape, self.variation.strided
        for seed in range(self.seed, self.seed + (_SEEDS_OF_FULL if self.depth == "full" else 1)):
            for family in self._families():
                yield self._case(shape, family=family.name, seed=seed)
            if strided and self.depth != "quick":
                for family in self._families():
                    yield self._case(strided, family=family.name, seed=seed)

    def _families(self) -> list[Family]:
        floats = "float" in self.dtype or self.row.domain == "com.microsoft"
        wanted = self.variation.families
        return [
            family
            for name, family in FAMILIES.items()
            if (wanted is None or name in wanted)
            and (floats or (family.integers and name not in self.variation.undefined_integers))
        ]

    def _variants(self) -> Iterator[Case]:
        further = self.variation.variants[1:]
        if not self.follows:
            further = further[: _VARIANTS_OF_OTHERS if self.depth == "default" else 0]
        there = {family.name for family in self._families()}
        names = [name for name in self.variation.variant_families if name in there] or [self.variation.plain]
        masked = self.variation.masked_variants
        for variant in filter(self._has, further):
            for name in names:
                if name == PLAIN or masked is None or variant in masked:
                    yield self._case(self.variation.shape, variant=variant, family=name)

    def _has(self, variant: str) -> bool:
        row = self.row
        return {
            "last": "select_last_index" in row.attributes,
            "smallest": "largest" in row.attributes,
            "unsorted": "sorted" in row.attributes,
            "noop": "noop_with_empty_axes" in row.attributes,
            "empty-axes": len(row.inputs) > 1,
            "empty-axes+noop": "noop_with_empty_axes" in row.attributes,
            "window": "left_window_size" in row.attributes,
            "padded": len(row.inputs) > 6,
        }.get(variant, True)

    def _axes(self) -> Iterator[Case]:
        for shape in self.variation.ranks:
            if self.variation.axis is not None:
                for axis in self._axes_of(len(shape)):
                    yield self._case(shape, axis=axis)
            elif self.follows or self.depth != "quick":
                yield self._case(shape)

    def _axes_of(self, rank: int) -> list[int | None]:
        """Return the axes of an array of that rank, None for the default one."""
        row = self.row
        # Below opset 11 the text does not speak of negative axes.
        negative = row.since_version >= 11 or bool(row.domain)
        default = row.default_axis
        named: list[int | None] = [None] if default is not None and -rank <= default < rank else []
        middle = rank == 3
        if self.depth == "full":
            return [*range(-rank if negative else 0, rank), *named]
        if self.depth == "quick" and not middle:
            return [2] if self.leads and rank == 5 else []
        if self.depth == "quick":
            return [0, -2 if negative else 1, *named] if self.leads else []
        if self.leads:
            return [*range(-rank if negative and middle else 0, rank), *named]
        if middle:
            return [*range(rank), *(named if self.follows else [])]
        return [(rank - 1) // 2] if self.follows else []

    def _lengths(self) -> Iterator[Case]:
        large = self.depth == "full" or (self.depth == "default" and self.dtype == "float32")
        huge = () if self.depth == "quick" else _HUGE if large else _HUGE[:1]
        yield from self._of_lengths((*_LENGTHS[self.depth], *huge))
        if self.variation.tall and large:
            yield self._case(_TALL, form=self._form_of_lengths)

    def _of_lengths(self, lengths: Iterable[int]) -> Iterator[Case]:
        for length in lengths:
            if length <= self.variation.longest:
                yield self._case((3 if length < 10_000 else 2, length), form=self._form_of_lengths)

    @property
    def _form_of_lengths(self) -> str:
        # With no length in the model, it is loaded once for all of them.
        return "dynamic" if self.row.domain != "ai.onnx.ml" else "plain"

    def _forms(self) -> Iterator[Case]:
        # An If gives bfloat16 out since version 16 alone.
        no_branches = self.dtype == "bfloat16" and not self.row.domain and self.opset < 16
        for form in self._wanted_forms():
            if form != "subgraph" or not no_branches:
                for family in self._families() if self.depth == "full" else (None,):
                    name = None if family is None else family.name
                    yield self._case(self.variation.shape, form=form, family=name)

    def _wanted_forms(self) -> tuple[str, ...]:
        first = "dynamic"  # after the lengths, which are of the same model
        if self.leads and self.depth != "quick":
            return (first, *(form for form in FORMS if form != first))
        return (first, "transposed") if self.leads or self.depth != "quick" else (first,)

    def _asked(self) -> Iterator[Case]:
        if not self.follows:
            return
        threads = [setting for setting in self.settings if setting.startswith(THREADS)]
        # Each is compared with a single thread: in a quick run, the last will do.
        for setting in threads if self.depth != "quick" else threads[-1:]:
            for shape in self.variation.big if self.depth != "quick" else self.variation.big[:1]:
                yield self._case(shape, form="dynamic", setting=setting)
        if self.depth == "quick":
            return
        for setting in self.settings:
            if setting not in threads:
                for form in ("plain", "chained") if self.depth == "default" else self._wanted_forms():
                    yield self._case(self.variation.shape, form=form, setting=setting)

    def _case(
        self,
        shape: tuple[int, ...],
        *,
        axis: int | Literal["as varied"] | None = "as varied",
        family: str | None = None,
        variant: str | None = None,
        form: str = "plain",
        setting: str = "",
        seed: int | None = None,
    ) -> Case:
        variation = self.variation
        return case_of(
            self.row,
            self.dtype,
            shape,
            family or variation.plain,
            opset=self.opset,
            axis=variation.axis if axis == "as varied" else axis,
            seed=self.seed if seed is None else seed,
            variant=variation.variants[0] if variant is None else variant,
            form=form,
            setting=setting,
        )


def _is_newest_of_its_kind(row: Operator) -> bool:
    """Tell whether no later version has the same axes, inputs and attributes."""
    later = (
        other
        for other in operators()
        if (other.domain, other.op_type) == (row.domain, row.op_type)
        and other.since_version > row.since_version
    )
    return all(_read_as(other) != _read_as(row) for other in later)


def _read_as(row: Operator) -> tuple[object, ...]:
    defaults = {name: repr(attribute.default) for name, attribute in row.attributes.items()}
    return row.axis_rule, row.default_axis, [parameter.name for parameter in row.inputs], defaults
