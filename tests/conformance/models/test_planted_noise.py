"""A node that is off by twenty standard deviations of the noise is found, whichever it is, and named."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from parsing import parsed

from softops.conformance import noise, validate
from softops.opset.backend import prepare

RANDOM = np.random.default_rng(11)


def normal(*shape, scale=1.0):
    return (scale * RANDOM.normal(size=shape)).astype(np.float32)


def model_of(text, **arrays):
    return parsed(f'<ir_version: 9, opset_import: ["": 20]> {text}', **arrays)


TRANSFORMER = model_of(
    """g (float[N, 12, 32] x) => (float[N, 12, 10] p) {
        normal = LayerNormalization(x, scale, bias)
        q = MatMul(normal, wq)
        k = MatMul(normal, wk)
        v = MatMul(normal, wv)
        turned = Transpose<perm = [0, 2, 1]>(k)
        scores = MatMul(q, turned)
        scaled = Div(scores, root)
        weights = Softmax(scaled)
        mixed = MatMul(weights, v)
        added = Add(mixed, x)
        wide = MatMul(added, w1)
        active = Gelu(wide)
        narrow = MatMul(active, w2)
        again = Add(narrow, added)
        logits = MatMul(again, head)
        p = Softmax(logits)
    }""",
    scale=normal(32),
    bias=normal(32),
    root=np.float32(5.65),
    head=normal(32, 10, scale=0.2),
    w1=normal(32, 64, scale=0.2),
    w2=normal(64, 32, scale=0.2),
    **{name: normal(32, 32, scale=0.2) for name in ("wq", "wk", "wv")},
)
NETWORK = model_of(
    """g (float[N, 3, 16, 16] x) => (float[N, 5] p) {
        a = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
        b = BatchNormalization(a, scale, bias, mean, variance)
        c = HardSwish(b)
        d = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(c)
        e = Conv<pads = [1, 1, 1, 1]>(d, w2)
        f = Tanh(e)
        g1 = GlobalAveragePool(f)
        h = Flatten(g1)
        logits = Gemm(h, w3, b3)
        p = Softmax(logits)
    }""",
    w1=normal(8, 3, 3, 3, scale=0.4),
    b1=normal(8),
    scale=normal(8),
    bias=normal(8),
    mean=normal(8),
    variance=np.abs(normal(8)) + 0.5,
    w2=normal(12, 8, 3, 3, scale=0.2),
    w3=normal(12, 5),
    b3=normal(5),
)
INPUTS = {"transformer": normal(8, 12, 32), "network": normal(8, 3, 16, 16)}
MODELS = {"transformer": TRANSFORMER, "network": NETWORK}
EXACT = ("Transpose", "MaxPool", "Flatten")
"""What has no roundings of its own is judged by those before it."""
PLACES = [
    (name, node.output[0])
    for name, model in MODELS.items()
    for node in model.graph.node
    if node.op_type not in (*EXACT, "Softmax")
]


class Planted:
    """Our backend, with one tensor of the model moved."""

    name, version = "planted", "1"

    def __init__(self, tensor, by):
        self._tensor, self._by = tensor, by

    def supports(self, op, opset, dtype):
        return True

    def run(self, model, feeds):
        changed = onnx.load_from_string(model)
        nodes = list(changed.graph.node)
        place = next(k for k, node in enumerate(nodes) if self._tensor in node.output)
        nodes[place].output[0] = "right"
        nodes.insert(place + 1, helper.make_node("Add", ["right", "by"], [self._tensor]))
        del changed.graph.node[:]
        changed.graph.node.extend(nodes)
        changed.graph.initializer.append(numpy_helper.from_array(self._by, "by"))
        return prepare(changed, check=False).run(dict(feeds))


@pytest.fixture(scope="module")
def noises():
    return {name: noise(model, INPUTS[name], keep=True) for name, model in MODELS.items()}


@pytest.mark.parametrize(("name", "tensor"), PLACES)
def test_a_node_that_is_twenty_standard_deviations_off_is_named(name, tensor, noises):
    found = noises[name].kept[tensor]
    by = (20 * found.sigma * RANDOM.choice([-1, 1], found.shape)).astype(np.float32)
    report = validate(MODELS[name], Planted(tensor, by), INPUTS[name])
    assert report.verdict == "wrong"
    assert report.failures[0].startswith(f"{tensor}[")


@pytest.mark.parametrize("name", MODELS)
def test_one_that_is_not_is_right(name):
    report = validate(MODELS[name], "onnxruntime", INPUTS[name])
    assert report.verdict == "right", report.failures
