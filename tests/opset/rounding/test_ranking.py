"""What rounding may change in a ranking: equal and nearly equal numbers, whatever the samples happened to do."""

import numpy as np
import pytest
from onnx import numpy_helper, parser

from softops.opset.rounding.run import run_noisy

RANDOM = np.random.default_rng(4)


def undecided(nodes, output, x, seed):
    """Of 30 rows of scores, each some number times one of `x`, which decisions hang on rounding."""
    model = parser.parse_model(f"""
        <ir_version: 9, opset_import: ["" : 18]>
        g (float[30,1] a) => (int64[N,M] {output}) {{ s = Mul(a, x) scores = Mul(s, third) {nodes} }}
    """)
    constants = {"x": np.float32([x]), "third": np.float32(1 / 3), "two": np.array([2])}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    found = {}
    a = RANDOM.uniform(1, 2, size=(30, 1)).astype(np.float32)
    run_noisy(model, {"a": a}, lambda name, _, value: found.update({name: value}), samples=8, seed=seed)
    return found[output].undecided


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("nodes", "x", "hang"),
    [
        ("y = ArgMax <axis = 1> (scores)", [0, 3, 1, 3], [True]),
        ("y = ArgMax <axis = -1, keepdims = 0> (scores)", [3, 0, 3 * (1 + 1e-7)], True),
        ("y = ArgMax <axis = 1> (scores)", [0, 3, 1, 3.01], [False]),
        ("y = ArgMin <axis = 1> (scores)", [1, 3, 1, 3], [True]),
        ("y = ArgMin <axis = 1> (scores)", [0.5, 3, 1, 3], [False]),
        ("v, y = TopK <axis = 1> (scores, two)", [5, 1, 4, 4], [False, True]),
        ("v, y = TopK <axis = 1> (scores, two)", [5, 5, 4, 3], [True, True]),
        ("v, y = TopK <axis = 1> (scores, two)", [5, 4, 3, 3], [False, False]),
        ("v, y = TopK <axis = 1, largest = 0> (scores, two)", [5, 5, 2, 1], [False, False]),
        ("v, y = TopK <axis = 1, largest = 0> (scores, two)", [5, 2, 2, 1], [False, True]),
        ("t = Transpose(scores) y = ArgMax(t)", [3, 1, 3], True),
    ],
)
def test_what_is_within_the_noise_hangs_on_rounding_in_every_row(nodes, x, hang, seed):
    found = undecided(nodes, "y", x, seed)
    assert (found == hang).all()
