"""Small models that the tests of `softops.opset` share, which may import `verified`."""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import strategies as st
from onnx.backend.test.loader import load_model_tests

from softops.opset.backend import run_node

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.append(FOLDER)

ModelOf = Callable[..., onnx.ModelProto]


def single_node(
    op_type: str, opset: int, rank: int, *, dtype: int = onnx.TensorProto.FLOAT, **attributes: int
) -> onnx.ModelProto:
    """A model of one node, x -> y, of symbolic shapes; IR 8 is read by every onnxruntime we run on."""
    shape = [f"d{i}" for i in range(rank)]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op_type, ["x"], ["y"], **attributes)],
        "single",
        [onnx.helper.make_tensor_value_info("x", dtype, shape)],
        [onnx.helper.make_tensor_value_info("y", dtype, shape)],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def model_of() -> ModelOf:
    return single_node


def onnxruntime_node(
    op_type: str,
    opset: int,
    inputs: Sequence[np.ndarray | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    domain: str = "",
    outputs: int = 1,
) -> list[np.ndarray]:
    """Outputs of a single node in onnxruntime; an input of None is left out."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    feeds = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    node = onnx.helper.make_node(
        op_type, names, [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {})
    )
    graph = onnx.helper.make_graph(
        [node],
        "single",
        [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output],
    )
    # ONNX itself at the opset asked for; the node's own domain beside it.
    opsets = {"": opset} if not domain else {"": 17, domain: opset}
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(*entry) for entry in opsets.items()], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses it says by the exception as well
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


@pytest.fixture(scope="session")
def onnxruntime_of() -> Callable[..., list[np.ndarray]]:
    return onnxruntime_node


@pytest.fixture
def assert_as_onnxruntime(onnxruntime_of):
    def check(op_type, opset, inputs, attributes, outputs=1):
        """A node here and in onnxruntime; an input of None is left out."""
        inputs = [None if x is None else np.asarray(x) for x in inputs]
        names = ["" if x is None else f"x{k}" for k, x in enumerate(inputs)]
        node = onnx.helper.make_node(op_type, names, [f"y{k}" for k in range(outputs)], **attributes)
        actual = run_node(node, [x for x in inputs if x is not None], opset_version=opset)
        expected = onnxruntime_of(op_type, opset, inputs, attributes, outputs=outputs)
        for ours, theirs in zip(actual, expected, strict=True):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=5e-6)  # float32, sums in another order

    return check


@pytest.fixture(scope="session")
def node_cases():
    """Every node test that onnx ships; collecting them takes 11 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making all cases of onnx overflows and divides by zero on purpose
        return load_model_tests(kind="node")


DTYPES = [np.dtype(name) for name in ("float16", "float32", "float64")] + [np.dtype(ml_dtypes.bfloat16)]
SMALL = st.sampled_from([2, 1, 3, 4, 5, 0])


@st.composite
def _attention_calls(draw):
    """(inputs, attributes, version) of Attention: every input and attribute, given or not."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    version = draw(st.sampled_from([25, 24, 23, 25]))
    t1, t2 = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(DTYPES))
    n, g, group = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    s, keys, d, e = draw(SMALL), draw(SMALL), draw(st.integers(1, 9)), draw(st.integers(1, 4))
    normal = rng.standard_normal
    q, k, v = normal((n, g * group, s, d)), normal((n, g, keys, d)), normal((n, g, keys, e))
    attributes = {}
    past_key = past_value = valid = None
    cache = draw(st.sampled_from(["none", "past", "valid"]))
    past = draw(SMALL) if cache == "past" else 0
    if cache == "past":
        past_key, past_value = normal((n, g, past, d)).astype(t1), normal((n, g, past, e)).astype(t2)
    elif cache == "valid" and version >= 24:
        valid = rng.integers(0, keys + 1, n)
    total = past + keys
    shape = [draw(st.sampled_from([1, size])) for size in (n, g * group, s, total)]
    if version >= 24 and draw(st.booleans()):
        shape[3] = draw(st.integers(0, total))
    shape = shape[draw(st.integers(0, 4)) :]
    mask = {
        "none": lambda: None,
        "bool": lambda: rng.random(shape) < 0.7,
        "float": lambda: np.where(rng.random(shape) < 0.2, -np.inf, normal(shape)).astype(t1),
        "int": lambda: rng.integers(-2, 3, shape),
    }[draw(st.sampled_from(["none", "bool", "float", "int"]))]()
    options = {
        "is_causal": st.sampled_from([0, 1]),
        "scale": st.sampled_from([0.0, 0.25, 1.7]),
        "softcap": st.sampled_from([0.0, 0.5, -3.0]),
        "softmax_precision": st.sampled_from([1, 10, 11, 16]),
    }
    if version >= 25:
        options |= dict.fromkeys(("left_window_size", "right_window_size"), st.integers(-1, 3))
    for name, values in options.items():
        if draw(st.booleans()):
            attributes[name] = draw(values)
    if draw(st.booleans()):
        q, k, v = (x.transpose(0, 2, 1, 3).reshape(n, x.shape[2], x.shape[1] * x.shape[3]) for x in (q, k, v))
        attributes |= {"q_num_heads": g * group, "kv_num_heads": g}
    inputs = [q.astype(t1), k.astype(t1), v.astype(t2), mask, past_key, past_value]
    return inputs if version < 24 else [*inputs, valid], attributes, version


@pytest.fixture(scope="session")
def attention_calls():
    return _attention_calls()
