"""What makes a right verdict say little: outputs that do not depend on what goes in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.calls import line_axis
from ..errors import ModelNotRunError
from ..runtimes.loading import load
from ..runtimes.protocol import Runtime
from ..steps.graph import Arrays, ModelGraph

_SECONDS_MAX = 10.0
"""A model is not run once more for it when a run takes longer."""

_CURE = "pass inputs of your own (--inputs), or aim at the logits (--family)"


def caveats(
    graph: ModelGraph, runtime: Runtime, feeds: Arrays, outputs: Arrays, values: Arrays, seconds: float
) -> list[str]:
    """
    Say of which outputs nothing was tested, a sentence each with what to do about it.

    Parameters
    ----------
    outputs, values
        What the runtime gave in a run of ``seconds``, and all that is known of it.
    """
    found = list(_along_one(graph, values))
    if seconds <= _SECONDS_MAX and (again := _on_others(graph, runtime, feeds)) is not None:
        same = [
            name
            for name, array in outputs.items()
            if array.size and name in again and _same(array, again[name])
        ]
        for name in same:
            array = outputs[name]
            if array.size > 1 and array.dtype.kind in "iub" and (array == array.flat[0]).all():
                what = f"the output {name} is always {array.flat[0]}, for other inputs as well"
            else:
                what = f"the output {name} does not depend on the input, as far as other inputs tell"
            found.append(f"{what}, so that little was tested; {_CURE}")
    return found


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def _along_one(graph: ModelGraph, values: Arrays) -> Iterator[str]:
    for name in graph.producers:
        family = graph.family_node(name)
        if family is None or family.place or family.operator.axis_rule != "single":
            continue
        x = graph.value(family.source, values)
        axis = None if x is None else line_axis(family.operator, x.ndim, family.axis)
        if x is not None and axis is not None and 0 <= axis < x.ndim and x.shape[axis] == 1:
            yield (
                f"{family.operator.name} that gives {name} works along axis {axis} of length 1, where it is the same "
                "whatever goes in; if the classes lie elsewhere, correct the axis"
            )


def _on_others(graph: ModelGraph, runtime: Runtime, feeds: Arrays) -> Arrays | None:
    """Run the model on the same numbers in another order; None where that is no other input, or does not run."""
    others = {name: np.flip(array.reshape(-1)).reshape(array.shape) for name, array in feeds.items()}
    if all(np.array_equal(others[name], array) for name, array in feeds.items()):
        return None
    try:
        outputs = load(runtime, graph.content, graph.source.folder)(others)
    except ModelNotRunError:
        return None
    return dict(zip(graph.outputs, outputs, strict=False))
