"""How much of a difference between two runs of a model rounding explains."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any, Literal, get_args

import numpy as np

from softops.opset import ModelSource
from softops.opset.backend.plan import Watch
from softops.opset.rounding.value import Noisy
from softops.opset.rounding_rules.precision import FLOATS, precision_of

from ..cases.families import dtype_of
from ..errors import check_choice
from ..measure.ulp import is_float
from ..rounding.envelope import digits_of
from ..rounding.report import NodeNoise, NoiseReport
from ..rounding.tensor_noise import TensorNoise
from ..steps.graph import Arrays, ModelGraph
from ..steps.noise import SAMPLES, run_with_noise, samples_for, tensor_noise
from ..steps.source import open_source
from .batch import Made, made_up_inputs
from .inputs import Inputs, Shapes, prepare_inputs
from .plain import plain_run

ComputedIn = Literal["float16", "bfloat16", "float32", "float64"]
DTYPES: tuple[ComputedIn, ...] = get_args(ComputedIn)


def noise(
    model: ModelSource,
    inputs: Inputs = None,
    *,
    dtype: ComputedIn | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    batch: int | None = None,
    shapes: Shapes | None = None,
    keep: Collection[str] | Literal[True] = (),
    watch: Watch | None = None,
) -> NoiseReport:
    """
    Tell how far a right runtime may be from the exact outputs of a model.

    The model is run in float64, and a few times more with the roundings of a right runtime drawn at random at each
    node: a sum in any order, an exponential good to a unit in the last place. How far these runs spread is the noise.

    Parameters
    ----------
    model
        Path, bytes or ``onnx.ModelProto``.
    inputs
        An array for a model of one input, arrays by name, or the path of an ``.npz`` file; by default they are made
        up from ``seed``, as in `validate`.
    dtype
        ``float16``, ``bfloat16``, ``float32`` or ``float64``: take all floats to be held in it. By default each is held
        in what the model says.
    samples
        How many noisy runs; 8 are enough but for outputs of fewer than five numbers, for which twice as many are made.
    seed
        What the noise, and inputs that are made up, are drawn by.
    batch, shapes
        Of inputs that are made up, as in `validate`.
    keep
        Names of tensors in between whose noise is wanted as well; True for all.
    watch
        Called after each node with how many are done, of how many, and a number of bytes, or 0; of the rows that a
        batch is chosen by as well.

    Returns
    -------
    NoiseReport
        Per output the standard deviation of each element, the largest difference to expect, how many labels are within
        the noise, and a tolerance for a test; and where digits are lost.

    Raises
    ------
    ModelError
        ``model`` is not an ONNX model, or nothing here runs one of its nodes.
    NodeError, FeedError
        A node cannot work on what reaches it; the inputs do not fit the model.
    TypeError, ValueError, OSError
        The inputs do not fit the model or cannot be read, or a parameter is none of the above.

    Examples
    --------
    >>> from softops.export import classifier_head
    >>> report = noise(classifier_head(np.eye(3, dtype=np.float32)))
    >>> bool(report.outputs["probabilities"].rtol < 1e-5)  # for a test of such a model
    True
    """
    check_request(dtype, samples)
    graph = ModelGraph(open_source(model))
    made = (
        made_up_inputs(graph, seed=seed, batch=batch, shapes=shapes, watch=watch)
        if inputs is None
        else Made(prepare_inputs(graph.source.model, inputs))
    )
    report = noise_of(graph, made.feeds, dtype=dtype, samples=samples, seed=seed, keep=keep, watch=watch)
    report.notes = [note for note in (*graph.notes, made.note, *report.notes) if note]
    return report


def check_request(dtype: str | None, samples: int) -> None:
    """Refuse a dtype or a number of samples that there cannot be, by a ValueError."""
    if dtype is not None:
        check_choice("a dtype", dtype, DTYPES)
    if not isinstance(samples, int) or samples < 2:
        message = f"expected 2 samples or more (got {samples!r}); 8 are usual"
        raise ValueError(message)


def noise_of(
    graph: ModelGraph,
    feeds: Arrays,
    *,
    dtype: ComputedIn | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    keep: Collection[str] | Literal[True] = (),
    sizes: Iterable[int] | None = None,
    watch: Watch | None = None,
) -> NoiseReport:
    """Return the noise of a model that is open; see `noise`. ``sizes`` are those of its outputs of floats, if known."""
    begin = time.perf_counter()
    known = _sizes(graph, feeds, watch) if sizes is None else sizes
    found = _Collected(graph, keep, samples_for(known, samples))
    without = run_with_noise(
        graph,
        feeds,
        found.observe,
        samples=found.samples,
        seed=seed,
        dtype=None if dtype is None else dtype_of(dtype),
        watch=watch,
    )
    notes = []
    if without:
        notes.append(
            f"no rule is known for {', '.join(sorted(without))}: taken to round results once, and to be as sensitive "
            "as they are to the rounding of their inputs"
        )
    outputs = {name: found.tensors[name] for name in graph.compared if name in found.tensors}
    kept = {name: tensor for name, tensor in found.tensors.items() if name not in outputs}
    seconds = time.perf_counter() - begin
    return NoiseReport(outputs, kept, found.nodes, found.samples, seed, dtype or "", seconds, notes)


class _Collected:
    """Takes from each tensor of a noisy run what is wanted of it."""

    def __init__(self, graph: ModelGraph, keep: Collection[str] | Literal[True], samples: int) -> None:
        self._graph, self._keep, self.samples = graph, keep, samples
        self._outputs = frozenset(graph.outputs)
        self._digits: dict[str, float] = {}
        self.tensors: dict[str, TensorNoise] = {}
        self.nodes: list[NodeNoise] = []

    def observe(self, name: str, node: str, value: Noisy) -> None:
        if not isinstance(value.exact, np.ndarray):
            return
        is_wanted = name in self._outputs or self._keep is True or name in self._keep
        if value.dtype is not None:
            # of what is exact, such as weights that are made in the model, there is nothing to measure
            digits = np.inf if value.copies is None else digits_of(value.variance(), value.exact)
            self._note_digits(name, node, digits, _full_digits(value.dtype))
        if is_wanted:
            self.tensors[name] = tensor_noise(name, node, value, value.variance(), self.samples)

    def _note_digits(self, name: str, node: str, digits: float, full: float) -> None:
        maker = self._graph.producers.get(name)
        read = [] if maker is None else [self._digits.get(source, np.inf) for source in maker.input]
        before = min([full, *read])
        self._digits[name] = digits
        if maker is not None:
            self.nodes.append(NodeNoise(name, node, digits, max(before - digits, 0.0)))


def _full_digits(dtype: np.dtype[Any]) -> float:
    """The digits that numbers have which were rounded once; before, numbers that are exact count as so many."""
    return -float(np.log10(precision_of(dtype).one)) if dtype in FLOATS else 0.0


def _sizes(graph: ModelGraph, feeds: Arrays, watch: Watch | None) -> list[int]:
    """How many elements the outputs of floats have; at least as many where that is enough to know."""
    least = []
    for name in graph.compared:
        kind, dims = graph.dtype(name), graph.dims(name)
        if kind is None or kind in FLOATS:
            least.append(1 if dims is None else int(np.prod([1 if dim is None else dim for dim in dims])))
    if samples_for(least, 1) == samples_for((), 1):
        return least
    made = plain_run(graph, feeds, watch)
    return [array.size for array in made.values() if is_float(array.dtype)] or least
