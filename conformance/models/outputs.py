"""Outputs that were made elsewhere: does rounding explain what they differ in from the model?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import ModelSource
from softops.opset.backend.plan import Watch

from ..measure.metrics import dtype_name
from ..measure.ulp import is_float
from ..rounding.outputs_report import JudgedTensor, OutputsReport
from ..rounding.tensor_noise import TensorNoise
from ..steps.graph import Arrays, ModelGraph
from ..steps.source import open_source
from .given import Given, check_nan, check_shape, given_outputs, typed
from .inputs import Inputs, prepare_inputs
from .noise import ComputedIn, check_request, noise_of
from .plain import has_certain_shapes, plain_run

_MEDIAN = 0.4
"""The median of a right runtime's differences, in standard deviations: .30 to .44 on seven networks."""

_FEW_BITS = 6.0, 12.5
"""As many significant bits are told of, to tell bfloat16 and float16 from a formula that is another."""


def compare_outputs(
    model: ModelSource,
    inputs: Inputs,
    outputs: Given,
    names: Sequence[str] | None = None,
    *,
    samples: int = 8,
    seed: int = 0,
    dtype: ComputedIn | None = None,
    watch: Watch | None = None,
) -> OutputsReport:
    """
    Tell whether rounding explains what outputs that were made elsewhere differ in from the model.

    Elsewhere is the framework that the model came from, a phone, or last week. The model is run in float64, and how
    far the rounding of a right runtime moves each element is estimated by `softops.conformance.noise`. An output is

    - ``equal``, or ``explained by rounding``: no element is off by more than 10 times its noise, and all together by
      no more than 2;
    - ``not explained``: one is, or is infinite where the model gives a number, or the other way round;
    - ``decisions differ``: labels are others although their scores are too far apart for rounding to change them;
    - ``not decidable``: what came before hangs on a decision that rounding may change, such as a quantised value.

    Parameters
    ----------
    model
        Path, bytes or ``onnx.ModelProto``.
    inputs
        What the outputs were made of: an array for a model of one input, arrays by name, or the path of an ``.npz``
        file of such.
    outputs
        Every output of the model, of its dtype and shape: arrays by name, a list of them, one array for a model of
        one output, or the path of an ``.npz`` file (never a pickle). Further names are tensors in between, as the
        model calls them; the first of them that leaves the noise is named (`OutputsReport.first_departure`).
    names
        The names of a list of ``outputs``; by default the model's outputs in order.
    samples, seed, dtype, watch
        As of `softops.conformance.noise`. What was given may be of ``dtype``, too.

    Returns
    -------
    OutputsReport
        Wrong outputs are reported, not raised.

    Raises
    ------
    ModelError
        ``model`` is not an ONNX model.
    TypeError, ValueError, OSError
        Inputs or outputs are missing, not asked for, of another dtype or shape, no plain arrays, or cannot be read;
        an output is NaN where the model gives a number, or the other way round (a tensor in between may be: that is
        ``not explained``); the model has outputs that are no tensors.
    """
    check_request(dtype, samples)
    graph = ModelGraph(open_source(model))
    feeds = prepare_inputs(graph.source.model, {} if inputs is None else inputs)
    given = {
        name: _typed(graph, name, array, dtype)
        for name, array in given_outputs(graph, feeds, outputs, names).items()
    }
    between = tuple(name for name in graph.producers if name in given and name not in graph.outputs)
    _check_shapes(graph, feeds, given, watch)
    sizes = [given[name].size for name in graph.compared if is_float(given[name].dtype)]
    found = noise_of(
        graph, feeds, samples=samples, seed=seed, dtype=dtype, keep=between, sizes=sizes, watch=watch
    )
    tensors = {**found.kept, **found.outputs}
    compared = [name for name in given if name in tensors and name not in graph.random]
    for name in compared:
        if graph.dtype(name) is None:
            given[name] = typed(name, given[name], tensors[name].dtype, dtype)
        check_shape(name, given[name], tensors[name].shape)
    for name in compared:
        if name in found.outputs and tensors[name].is_float:
            check_nan(name, given[name], tensors[name].exact)
    judged = {name: _judged(tensors[name], given[name]) for name in compared}
    report = OutputsReport(
        {name: judged[name] for name in graph.compared if name in judged},
        {name: judged[name] for name in between if name in judged},
        {name: (dtype_name(array), array.shape) for name, array in feeds.items()},
        found.samples,
        seed,
        dtype,
        list(dict.fromkeys((*graph.source.notes, *found.notes))),
    )
    report.notes += [
        f"{name} is not compared: it is drawn at random" for name in given if name in graph.random
    ]
    report.notes += _mixed_up(report, tensors, given)
    if report.verdict == "not explained":
        report.notes += _of_few_bits({name: tensors[name] for name in report.outputs}, given)
    return report


def _check_shapes(graph: ModelGraph, feeds: Arrays, given: Arrays, watch: Watch | None) -> None:
    """Refuse outputs of another shape before the long run, which checks all of them once more."""
    if has_certain_shapes(graph):
        for name, array in plain_run(graph, feeds, watch).items():
            check_shape(name, given[name], array.shape)


def _typed(graph: ModelGraph, name: str, array: NDArray[Any], computed: str | None) -> NDArray[Any]:
    own = graph.dtype(name)
    if own is None:  # the run will tell
        return array
    return typed(name, array, "string" if own.kind == "O" else own.name, computed if is_float(own) else None)


def _judged(tensor: TensorNoise, array: NDArray[Any]) -> JudgedTensor:
    found = vars(tensor.judge(array))
    return JudgedTensor(**found, name=tensor.name, node=tensor.node, dtype=tensor.dtype, shape=tensor.shape)


def _mixed_up(report: OutputsReport, tensors: dict[str, TensorNoise], arrays: Arrays) -> Iterator[str]:
    """Say of two wrong outputs that each is the other."""
    wrong = [name for name, tensor in report.outputs.items() if tensor.wrong]
    for left, right in combinations(wrong, 2):
        alike = arrays[left].dtype == arrays[right].dtype and arrays[left].shape == arrays[right].shape
        if alike and all(
            tensors[name].judge(arrays[other]).explained for name, other in ((left, right), (right, left))
        ):
            yield f"what was given as {left} is {right}, and the other way round; give outputs by their names"


def _of_few_bits(outputs: dict[str, TensorNoise], arrays: Arrays) -> Iterator[str]:
    """Say of which precision all differences are where most elements are as far off as one with few bits takes them."""
    bits = [
        _significant_bits(tensor, arrays[name])
        for name, tensor in outputs.items()
        if tensor.dtype == "float32" and tensor.exact.size
    ]
    if bits and _FEW_BITS[0] <= min(bits) and max(bits) <= _FEW_BITS[1]:
        yield (
            f"the differences are those of about {np.median(bits):.0f} significant bits (bfloat16 has 8, float16 11, "
            "float32 24): see whether --dtype float16 or bfloat16 explains them"
        )


def _significant_bits(tensor: TensorNoise, array: NDArray[Any]) -> float:
    """Of how many bits a runtime of float32 would be whose differences have this median."""
    with np.errstate(invalid="ignore"):
        ratio = np.abs(array.astype(np.float64) - tensor.exact) / tensor.sigma
    middle = float(np.median(ratio[np.isfinite(ratio)])) if np.isfinite(ratio).any() else 0.0
    return 24 - float(np.log2(max(middle, _MEDIAN) / _MEDIAN))
