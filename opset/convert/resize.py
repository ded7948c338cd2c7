"""Resize at older opsets, down to Upsample."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper
from onnx.helper import get_attribute_value

from .step import Step


def resize(step: Step) -> list[NodeProto] | None:
    """
    Return what an older opset has for a Resize.

    Its axes (18) become all of them; inputs left out (13) empty ones; and before 11, where there is one way alone
    to find the place of a number, those that come to the same; before 10 there was Upsample.
    """
    if step.source == 18:
        return _of_all_axes(step)
    if step.source == 13:
        return _all_inputs(step)
    if step.source == 11:
        return _plain(step)
    if step.source == 10:
        return _upsample(step)
    return None


def _of_all_axes(step: Step) -> list[NodeProto] | None:
    axes = step.attribute("axes")
    for name, plain in (("antialias", 0), ("keep_aspect_ratio_policy", b"stretch")):
        given = step.attribute(name)
        if given is not None and get_attribute_value(given) != plain:
            step.refuse(f"{name} is new in opset 18")
    if axes is None:
        return None
    x, roi, scales, sizes = [*step.node.input, "", "", ""][:4]
    dims = step.scope.value_type(x).shape
    if dims is None or roi:
        step.refuse(
            "its axes are new in opset 18, and " + ("it has a roi" if roi else "its rank is not known")
        )
    at = step.counted(list(axes.ints))
    result, nodes = step.copy(without=["axes", "antialias", "keep_aspect_ratio_policy"]), list[NodeProto]()
    if scales:
        full = np.ones(len(dims), np.float32)
        full[at] = step.numbers(scales)
        result.input[2] = step.store(full, f"{result.output[0]}_scales", nodes)
    else:
        lengths = [size if isinstance(size, int) else -1 for size in dims]
        for axis, size in zip(at, step.integers(sizes), strict=True):
            lengths[axis] = size
        if -1 in lengths:
            step.refuse("its axes are new in opset 18, and a length of its input is not known")
        result.input[3] = step.store(np.array(lengths, np.int64), f"{result.output[0]}_sizes", nodes)
    step.released.add(scales or sizes)
    return [*nodes, result]


def _all_inputs(step: Step) -> list[NodeProto]:
    result, nodes = step.copy(), list[NodeProto]()
    given = [*step.node.input, "", ""]
    names = [given[0]]
    for what, name in (("roi", given[1]), ("scales", given[2])):
        names.append(name or step.store(np.zeros(0, np.float32), f"{result.output[0]}_{what}", nodes))
    result.input[:] = [*names, *step.node.input[3:]]
    return [*nodes, result]


def _plain(step: Step) -> list[NodeProto]:
    """The one way there was: the number at floor(place / scale), or between its neighbours, without an offset."""
    said = {a.name: get_attribute_value(a) for a in step.node.attribute}
    mode = said.get("mode", b"nearest")
    way = (
        said.get("coordinate_transformation_mode", b"half_pixel"),
        said.get("nearest_mode", b"round_prefer_floor"),
    )
    scales = _scales(step)
    # Of whole scales the middle of a number's copies lies on the number, and rounds to it.
    whole = np.array_equal(scales, np.rint(scales)) and way == (b"half_pixel", b"round_prefer_floor")
    fits = {
        b"nearest": way == (b"asymmetric", b"floor") or whole,
        b"linear": way[0] == b"asymmetric",
    }.get(mode, False)
    if not fits or np.any(scales < 1):
        step.refuse("before opset 11 it finds the places of numbers in another way")
    result, nodes = step.copy(), list[NodeProto]()
    del result.attribute[:]
    result.attribute.append(helper.make_attribute("mode", mode))
    step.released.update(name for name in step.node.input[1:] if name)
    result.input[:] = [step.node.input[0], step.store(scales, f"{result.output[0]}_scales", nodes)]
    return [*nodes, result]


def _scales(step: Step) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    sizes = step.node.input[3] if len(step.node.input) > 3 else ""
    if not sizes:
        return np.asarray(step.numbers(step.node.input[2]), np.float32)
    dims = step.lengths(step.node.input[0]) or [None]
    wanted = step.integers(sizes)
    if None in dims or any(size % (length or 1) for size, length in zip(wanted, dims, strict=True)):
        step.refuse("its sizes are new in opset 11, and are no multiples of known lengths")
    return np.array([size // (length or 1) for size, length in zip(wanted, dims, strict=True)], np.float32)


def _upsample(step: Step) -> list[NodeProto]:
    if any(scale < 1 for scale in step.numbers(step.node.input[1])):
        step.refuse("it makes smaller, which is new in opset 10")
    result = step.copy()
    result.op_type = "Upsample"
    return [result]
