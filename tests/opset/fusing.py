"""What the tests of fusions share: what is found in a model, and runs of it with and without fusions."""

import numpy as np
import onnx
from onnx import parser

from softops.opset.backend import prepare
from softops.opset.fusions.fusion import Fusion
from softops.opset.fusions.table import findings
from softops.opset.graph.domains import opset_versions
from softops.opset.graph.scopes import Scope


def parsed(body, inputs, outputs, *, opset=17, constants=None):
    """A model from ONNX's text syntax; ``constants`` become initializers."""
    ir_version = 8 if opset > 12 else 6
    text = (
        f'<ir_version: {ir_version}, opset_import: ["" : {opset}]> net ({inputs}) => ({outputs}) {{ {body} }}'
    )
    model = parser.parse_model(text)
    for name, value in (constants or {}).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return model


def found(model):
    """(kind, operators) of each fusion of the main graph, and (kind, reason) of each near miss."""
    scope = Scope(model.graph, opset_versions(model.opset_import))
    all_of_them = list(findings(scope))
    fused = [(f.kind, [n.op_type for n in f.nodes]) for f in all_of_them if isinstance(f, Fusion)]
    missed = [(m.kind, m.reason) for m in all_of_them if not isinstance(m, Fusion)]
    return fused, missed


def kinds(model):
    """The kinds of the fusions of the main graph."""
    return [kind for kind, _ in found(model)[0]]


def both(model, *inputs):
    """The outputs with fusions and without; fewer steps run where there are any."""
    steps = {True: [], False: []}
    runs = [
        prepare(model, fuse=fuse).run(list(inputs), watch=lambda *now, fuse=fuse: steps[fuse].append(now))
        for fuse in (True, False)
    ]
    assert len(steps[True]) <= len(steps[False])
    for one, other in zip(*runs, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
    return runs
