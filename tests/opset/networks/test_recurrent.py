"""LSTM, GRU and RNN with every input and option, beside torch and onnxruntime."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import pytest
import verified

from softops.opset import ModelError
from softops.opset.backend import run_node

STEPS, BATCH, FEATURES, HIDDEN = 6, 3, 4, 5
LENGTHS = np.array([4, 6, 1], np.int32)
KINDS = {"LSTM": (4, 2), "GRU": (3, 1), "RNN": (1, 1)}  # gates and states
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
INPUTS = {"B": 3, "sequence_lens": 4, "initial_h": 5, "initial_c": 6, "P": 7}


def arrays(op_type, directions, dtype=np.float32):
    """Every input by name."""
    rng = np.random.default_rng(3)
    gates, states = KINDS[op_type]
    shapes = {
        "X": (STEPS, BATCH, FEATURES),
        "W": (directions, gates * HIDDEN, FEATURES),
        "R": (directions, gates * HIDDEN, HIDDEN),
        "B": (directions, 2 * gates * HIDDEN),
        "initial_h": (directions, BATCH, HIDDEN),
        "initial_c": (directions, BATCH, HIDDEN),
        "P": (directions, 3 * HIDDEN),
    }
    if states == 1:
        del shapes["initial_c"], shapes["P"]
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} | {
        "sequence_lens": LENGTHS
    }


def in_order(given, names):
    """The inputs of a node: None for those between that are not named."""
    places = {INPUTS[name]: given[name] for name in names}
    return [
        given["X"],
        given["W"],
        given["R"],
        *(places.get(k) for k in range(3, max(places, default=2) + 1)),
    ]


def run(op_type, inputs, opset=14, **attributes):
    return verified.run(op_type, opset, inputs, 1 + KINDS[op_type][1], **attributes)


@pytest.fixture
def assert_as_onnxruntime(onnxruntime_of):
    def check(op_type, inputs, **attributes):
        ours = run(op_type, inputs, hidden_size=HIDDEN, **attributes)
        attributes = {"hidden_size": HIDDEN, **attributes}
        theirs = onnxruntime_of(op_type, 14, inputs, attributes, outputs=len(ours))
        for a, b in zip(ours, theirs, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)

    return check


CALLS = [
    (op_type, direction, names)
    for op_type in KINDS
    for direction in DIRECTIONS
    for names in itertools.chain.from_iterable(
        itertools.combinations([name for name in INPUTS if op_type == "LSTM" or INPUTS[name] < 6], size)
        for size in (0, 1, 2, 5)
    )
]


@pytest.mark.parametrize(("op_type", "direction", "names"), CALLS, ids=lambda value: str(value))
def test_every_input_as_onnxruntime(op_type, direction, names, assert_as_onnxruntime):
    given = arrays(op_type, DIRECTIONS[direction])
    assert_as_onnxruntime(op_type, in_order(given, names), direction=direction)


OPTIONS = [
    ("LSTM", {"input_forget": 1}),
    ("LSTM", {"clip": 0.5}),
    ("LSTM", {"activations": ["sigmoid", "relu", "tanh"]}),
    ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
    ("LSTM", {"activations": ["Sigmoid", "ScaledTanh", "Affine"], "activation_alpha": [0.3, 0.6],
              "activation_beta": [0.4, 0.1]}),
    ("GRU", {"linear_before_reset": 1}),
    ("GRU", {"linear_before_reset": 1, "clip": 0.25}),
    ("GRU", {"clip": 0.25}),
    ("GRU", {"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.2]}),
    ("GRU", {"activations": ["HardSigmoid", "Softplus"]}),
    ("RNN", {"activations": ["Relu"]}),
    ("RNN", {"activations": ["Elu"], "activation_alpha": [0.7]}),
    ("RNN", {"activations": ["ThresholdedRelu"], "activation_alpha": [0.7]}),
    ("RNN", {"activations": ["Tanh"], "clip": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("op_type", "options"), OPTIONS, ids=str)
def test_every_option_as_onnxruntime(op_type, options, assert_as_onnxruntime):
    names = ["B", "sequence_lens", "initial_h"]
    assert_as_onnxruntime(op_type, in_order(arrays(op_type, 1), names), **options)
    twice = {name: 2 * value if isinstance(value, list) else value for name, value in options.items()}
    assert_as_onnxruntime(op_type, in_order(arrays(op_type, 2), names), direction="bidirectional", **twice)


# Where torch has each gate that ONNX names: iofc, zrh.
ORDER = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}


@pytest.mark.parametrize("op_type", KINDS)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_as_torch_with_sequences_of_several_lengths(op_type, direction, batch_first):
    torch = pytest.importorskip("torch")
    directions, (gates, states) = DIRECTIONS[direction], KINDS[op_type]
    given = arrays(op_type, directions, np.float64)
    module = getattr(torch.nn, op_type)(FEATURES, HIDDEN, bidirectional=directions == 2, dtype=torch.float64)
    for place in range(directions):
        suffix = "_l0" + "_reverse" * place
        biases = given["B"][place].reshape(2, -1)
        parts = {
            "weight_ih": given["W"][place],
            "weight_hh": given["R"][place],
            "bias_ih": biases[0],
            "bias_hh": biases[1],
        }
        for name, array in parts.items():
            by_gate = array.reshape(gates, HIDDEN, *array.shape[1:])[ORDER[op_type]]
            getattr(module, name + suffix).data = torch.from_numpy(by_gate.reshape(array.shape).copy())
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(given["X"]), torch.from_numpy(LENGTHS), enforce_sorted=False
    )
    names = ["B", "sequence_lens", "initial_h", "initial_c"][: 2 + states]
    start = tuple(torch.from_numpy(given[name]) for name in names[2:])
    with torch.no_grad():
        y, last = module(packed, start if states == 2 else start[0])
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y)
    expected = [y.numpy().reshape(STEPS, BATCH, directions, HIDDEN).swapaxes(1, 2)]
    expected += [state.numpy() for state in (last if states == 2 else (last,))]
    options = {"linear_before_reset": 1} if op_type == "GRU" else {}
    if batch_first:
        for name in ("X", *names[2:]):
            given[name] = given[name].swapaxes(0, 1)
        expected = [expected[0].transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in expected[1:])]
        options["layout"] = 1
    actual = run(op_type, in_order(given, names), hidden_size=HIDDEN, direction=direction, **options)
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("op_type", KINDS)
@pytest.mark.parametrize("opset", [1, 7, 14, 22])
def test_every_version_and_dtype_as_float64_rounded(op_type, opset):
    names = ["B", "sequence_lens", "initial_h"]
    for dtype in (np.float16, np.float32, *[ml_dtypes.bfloat16] * (opset == 22)):
        given = arrays(op_type, 1, dtype)
        wide = {name: a if name == "sequence_lens" else a.astype(np.float64) for name, a in given.items()}
        narrow = run(op_type, in_order(given, names), opset=opset, hidden_size=HIDDEN)
        for a, b in zip(
            narrow, run(op_type, in_order(wide, names), opset=14, hidden_size=HIDDEN), strict=True
        ):
            np.testing.assert_array_equal(a, b.astype(dtype))


@pytest.mark.parametrize("op_type", KINDS)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_what_lies_beyond_a_sequence_is_not_read(op_type, direction):
    given = arrays(op_type, 1)
    whole = run(op_type, in_order(given, ["sequence_lens"]), direction=direction, hidden_size=HIDDEN)
    for row, length in enumerate(LENGTHS):
        given["X"][length:, row] = np.nan
        alone = given | {"X": given["X"][:length, row : row + 1]}
        y, *lasts = run(op_type, in_order(alone, []), direction=direction, hidden_size=HIDDEN)
        np.testing.assert_allclose(whole[0][:length, :, row], y[:, :, 0], rtol=1e-6)
        assert not whole[0][length:, :, row].any()
        for last, expected in zip(lasts, whole[1:], strict=True):
            np.testing.assert_allclose(last[:, 0], expected[:, row], rtol=1e-6)
    hidden = run(op_type, in_order(given, ["sequence_lens"]), direction=direction, hidden_size=HIDDEN)
    for a, b in zip(hidden, whole, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op_type", KINDS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_empty_sequence(op_type, direction, assert_as_onnxruntime):
    given = arrays(op_type, DIRECTIONS[direction]) | {"sequence_lens": np.array([2, 0, 1], np.int32)}
    names = ["sequence_lens", "initial_h", "initial_c"][: 1 + KINDS[op_type][1]]
    assert_as_onnxruntime(op_type, in_order(given, names), direction=direction)


def test_what_cannot_be_is_refused():
    given = arrays("LSTM", 1)
    with pytest.raises(ModelError, match="expected 3 activations"):
        run_node(lstm(activations=["Tanh"]), in_order(given, []))
    with pytest.raises(ModelError, match="expected activations that ONNX has"):
        run_node(lstm(activations=["Tanh", "Swish", "Tanh"]), in_order(given, []))
    with pytest.raises(ModelError, match="do not fit 2 directions and 4 gates"):
        run_node(lstm(direction="bidirectional"), in_order(given, []))
    with pytest.raises(ModelError, match="expected a direction of forward, reverse, bidirectional"):
        run_node(lstm(direction="sideways"), in_order(given, []))


def lstm(**attributes):
    return onnx.helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=HIDDEN, **attributes)
