"""The noise of a model's tensors: a run in float64, and what right runtimes may make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx

from softops.opset import ModelError
from softops.opset.backend.plan import Watch
from softops.opset.rounding.run import run_noisy
from softops.opset.rounding.value import Noisy
from softops.opset.rounding_rules.precision import FLOATS

from ..measure.metrics import dtype_name
from ..measure.ulp import Doubles, is_float
from ..rounding.envelope import moderated
from ..rounding.tensor_noise import TensorNoise
from .cuts import Cuts, Variant
from .graph import Arrays, ModelGraph

SAMPLES = 8

_FEW, _MANY = 5, 64
"""Tensors of fewer numbers ask for more samples; if all have more than many, fewer do."""

Noises = Callable[[str], TensorNoise]
"""Gives the noise of a tensor by name."""


def run_with_noise(
    graph: ModelGraph,
    feeds: Arrays,
    observe: Callable[[str, str, Noisy], None],
    *,
    model: onnx.ModelProto | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    dtype: np.dtype[Any] | None = None,
    free: bool = False,
    watch: Watch | None = None,
) -> set[str]:
    """Run a model, or a variant of it, with noise, and return the operators without a rule; see `run_noisy`."""
    return run_noisy(
        graph.model if model is None else model,
        feeds,
        observe,
        samples=samples,
        seed=seed,
        dtype=dtype,
        free=free,
        dtypes=graph.float_dtypes(),
        constants=graph.constants_in_files(),
        watch=None if watch is None else lambda done, of: watch(done, of, 0),
    )


def tensor_noise(
    name: str, node: str, value: Noisy, variance: Doubles, samples: int, *, pooled: bool = False
) -> TensorNoise:
    """What a run with noise says of a tensor; ``variance`` is that of its samples, ``pooled`` as of `moderated`."""
    if value.dtype is None or value.dtype not in FLOATS:
        sigma, kind = np.zeros(value.exact.shape), dtype_name(value.exact)
    else:
        sigma, kind = moderated(variance, samples, value.dtype, pooled=pooled), value.dtype.name
    return TensorNoise(name, node, kind, value.exact, sigma, value.undecided, tuple(sorted(value.hangs_on)))


def samples_for(sizes: Iterable[int], usual: int = SAMPLES) -> int:
    """How many samples there must be for tensors of so many numbers: the fewer, the less their spread says."""
    return max(usual, 2 * SAMPLES if min(sizes, default=_MANY) < _FEW else 0)


def noises_of(
    graph: ModelGraph,
    variant: Variant,
    feeds: Arrays,
    samples: int,
    *,
    free: bool = False,
    watch: Watch | None = None,
) -> dict[str, TensorNoise]:
    """
    Return the noise of the outputs of a variant of a model, by what they are called in the model.

    ``free``: with what decisions do that rounding may change, taken anew in each sample.
    """
    names = {
        output.name: name for output, name in zip(variant.model.graph.output, variant.outputs, strict=True)
    }
    found = dict[str, TensorNoise]()

    def observe(name: str, node: str, value: Noisy) -> None:
        if name in names and isinstance(value.exact, np.ndarray):
            # which rows a decision changes is chance
            found[names[name]] = tensor_noise(
                names[name], node, value, value.variance(), samples, pooled=free
            )

    run_with_noise(graph, feeds, observe, model=variant.model, samples=samples, free=free, watch=watch)
    return found


class LazyNoises:
    """
    The noise of the outputs of variants of a model, each run when a tensor of it is asked for first.

    ``values`` are those of such tensors: where all have many numbers half as many samples do.
    """

    def __init__(
        self,
        graph: ModelGraph,
        variants: Mapping[str, tuple[Variant, Arrays]],
        values: Arrays,
        watch: Watch | None = None,
        *,
        free: bool = False,
    ) -> None:
        self._graph, self._variants, self._watch, self._free = graph, variants, watch, free
        sizes = [x.size for x in values.values() if is_float(x.dtype)]
        self._samples = SAMPLES if min(sizes, default=0) < _MANY else SAMPLES // 2
        self._found: dict[int, dict[str, TensorNoise]] = {}

    def __call__(self, tensor: str) -> TensorNoise:
        """The noise of a tensor; KeyError for one that no variant gives out as an array."""
        variant, feeds = self._variants[tensor]
        if id(variant) not in self._found:
            self._found[id(variant)] = noises_of(
                self._graph, variant, feeds, self._samples, free=self._free, watch=self._watch
            )
        return self._found[id(variant)][tensor]


def known_noise(noises: Noises, tensor: str) -> TensorNoise | None:
    """The noise of a tensor; None where a model cannot be run with noise."""
    try:
        return noises(tensor)
    except (ModelError, KeyError):
        return None


def whole(graph: ModelGraph) -> Variant:
    """The model with its cuts given out."""
    return Cuts(graph).given() or Variant(graph.model, graph.outputs)
