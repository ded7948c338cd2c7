"""The operators around heads that NumPy computes, at every version's meaning, beside onnxruntime or the text."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError, backend

RANDOM = np.random.default_rng(7)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


A = normal(2, 3, 4)
B = normal(3, 4)
ROW = RANDOM.standard_normal(4).astype(np.float32)
SQUARE = normal(4, 4)


INTEGERS = np.int64([[-7, 7, -1], [5, -5, 6]])
TWOS = np.int64([[2, -2, 2], [-3, 3, -4]])


def model_of(op_type, opset, inputs, *, outputs=1, **attributes):
    names = [f"x{k}" if value is not None else "" for k, value in enumerate(inputs)]
    node = onnx.helper.make_node(op_type, names, [f"y{k}" for k in range(outputs)], **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "single",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in zip(names, inputs, strict=True)
            if value is not None
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def prepare(model):
    """Unchecked: the models here leave the outputs' types open, which the checker does not take."""
    return backend.prepare(model, check=False)


def assert_as_onnxruntime(model, values):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {value.name: given for value, given in zip(session.get_inputs(), values, strict=True)}
    actual = prepare(model).run(feeds)
    for ours, theirs in zip(actual, session.run(None, feeds), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # float32, sums in another order


CASES = {
    "gemm": ("Gemm", (7, 9, 11, 13), (SQUARE, B, ROW[:3]), {"alpha": 0.5, "beta": 2.0, "transB": 1}),
    "gemm plain": ("Gemm", (7, 11, 13), (SQUARE, B, ROW[:3]), {"transB": 1}),
    "gemm turned": ("Gemm", (7, 11, 13), (B, normal(3, 5), ROW[:1]), {"transA": 1}),
    "gemm without c": ("Gemm", (11, 13), (B, SQUARE), {}),
    "matmul": ("MatMul", (7, 9, 13), (A, SQUARE), {}),
    "matmul vector": ("MatMul", (7, 13), (B, ROW), {}),
    "divide": ("Div", (7, 13, 14), (INTEGERS, TWOS), {}),
    "divide floats": ("Div", (7, 13), (A, B), {}),
    **{f"{name} broadcast": (name, (7, 13), (A, B), {}) for name in ("Add", "Sub", "Mul")},
    "maximum": ("Max", (8, 12, 13), (A, B, ROW), {}),
    "minimum of one": ("Min", (8, 13), (A,), {}),
    "where": ("Where", (9, 16), (A > 0, A, B), {}),
    **{f"{name}": (name, (9, 13), (A, B), {}) for name in ("Less", "Greater")},
    "equal": ("Equal", (7, 11, 13), (INTEGERS, INTEGERS[:1]), {}),
    **{
        name: (name, (9, 13), (np.abs(A),), {})
        for name in ("Abs", "Ceil", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Relu", "Sqrt", "Tanh")
    },
    "reshape": ("Reshape", (5, 13, 14), (A, np.int64([0, -1])), {}),
    "reshape to zero": ("Reshape", (14,), (A[:0], np.int64([3, 0])), {"allowzero": 1}),
    "flatten 0": ("Flatten", (9, 11, 13), (A,), {"axis": 0}),
    "flatten 2": ("Flatten", (9, 11, 13), (A,), {"axis": 2}),
    "flatten 3": ("Flatten", (9, 11, 13), (A,), {"axis": 3}),
    "flatten -1": ("Flatten", (11, 13), (A,), {"axis": -1}),
    "transpose": ("Transpose", (1, 13), (A,), {"perm": [1, 2, 0]}),
    "transpose all": ("Transpose", (1, 13), (A,), {}),
    "squeeze by attribute": ("Squeeze", (1, 11), (A[:1, :, None],), {"axes": [0, 2]}),
    "squeeze by input": ("Squeeze", (13,), (A[:1, :, None], np.int64([0, -2])), {}),
    "squeeze all": ("Squeeze", (1, 13), (A[:1, :1],), {}),
    "unsqueeze by attribute": ("Unsqueeze", (1, 11), (A,), {"axes": [0, 3]}),
    "unsqueeze by input": ("Unsqueeze", (13,), (A, np.int64([-1, 0])), {}),
    "concat": ("Concat", (4, 11, 13), (A, A[:, :1]), {"axis": 1}),
    "gather": ("Gather", (1, 11, 13), (A, np.int64([[0, 2], [1, 1]])), {"axis": 1}),
    "gather elements": ("GatherElements", (11, 13), (A, np.int64([[[0, -1], [2, 1]]])), {"axis": 1}),
    "gather elements from the end": ("GatherElements", (11, 13), (A, INTEGERS[:, :1, None] % 4), {"axis": -1}),
    "gather one": ("Gather", (11, 13), (ROW, np.array(-1)), {}),
    "slice by attributes": ("Slice", (1,), (A,), {"starts": [1, -3], "ends": [3, 1000], "axes": [1, 2]}),
    "slice by inputs": (
        "Slice",
        (10, 11, 13),
        (A, np.int64([-1, 0]), np.int64([-1000, 3]), np.int64([2, 1]), np.int64([-2, 2])),
        {},
    ),
    "shape": ("Shape", (1, 13), (A,), {}),
    "shape of a part": ("Shape", (15,), (A,), {"start": -2, "end": 2}),
    "size": ("Size", (1, 13), (A,), {}),
    "constant of shape": ("ConstantOfShape", (9,), (np.int64([2, 1]),), {}),
    "expand": ("Expand", (8, 13), (ROW, np.int64([2, 1, 1])), {}),
    "cast down": ("Cast", (6, 9, 13), (A * 5,), {"to": 6}),
    "cast to bool": ("Cast", (6, 13), (INTEGERS,), {"to": 9}),
    "cast to half": ("Cast", (6, 13), (A,), {"to": 10}),
    "dropout": ("Dropout", (7, 10, 12, 13), (A,), {}),
    "batch normalization": ("BatchNormalization", (7, 9, 14, 15), (A, *[np.abs(B[:, 0])] * 4), {"epsilon": 0.1}),
    "average pool": ("AveragePool", (7, 10, 11), (A[None],), {"kernel_shape": [2, 3], "pads": [1, 1, 0, 0]}),
    "average pool with pads": (
        "AveragePool",
        (7, 11),
        (A[None],),
        {"kernel_shape": [2, 2], "strides": [2, 1], "pads": [1, 0, 1, 0], "count_include_pad": 1},
    ),
    "maximum pool": ("MaxPool", (1, 8, 12), (A[None],), {"kernel_shape": [2, 2], "pads": [0, 1, 0, 1]}),
    "convolution": (
        "Conv",
        (1, 11),
        (normal(2, 4, 7, 6), normal(6, 2, 3, 2), ROW.repeat(2)[:6]),
        {"group": 2, "strides": [2, 1], "pads": [1, 0, 1, 2], "dilations": [1, 2]},
    ),
    "convolution of each channel": (
        "Conv",
        (11,),
        (normal(1, 4, 9), normal(8, 1, 3)),
        {"group": 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnxruntime(name):
    op_type, opsets, inputs, attributes = CASES[name]
    for opset in opsets:
        model = model_of(op_type, opset, inputs, **attributes)
        assert_as_onnxruntime(model, inputs)
        fixed = onnx.ModelProto()  # the same with constants: shapes and axes are then settled beforehand
        fixed.CopyFrom(model)
        for value, given in zip(fixed.graph.input[1:], inputs[1:], strict=True):
            fixed.graph.initializer.append(onnx.numpy_helper.from_array(given, value.name))
        del fixed.graph.input[1:]
        assert_as_onnxruntime(fixed, inputs[:1])


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize(
    ("second", "attributes", "expected"),
    [
        (B, {"broadcast": 1}, B),
        (ROW, {"broadcast": 1}, ROW),
        (B[:, 0], {"broadcast": 1, "axis": 1}, B[:, :1]),
        (A[:, :, 0], {"broadcast": 1, "axis": 0}, A[:, :, :1]),
        (A + 1, {}, A + 1),
    ],
)
@pytest.mark.parametrize("opset", [1, 6])
def test_broadcasting_by_attributes_before_opset_7(op_type, second, attributes, expected, opset):
    # ai.onnx@6::Add: "shape(A) = (2, 3, 4, 5), shape(B) = (3, 4), with axis=1"; onnxruntime starts at 7
    numpy = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[op_type]
    model = model_of(op_type, opset, (A, second), **attributes)
    np.testing.assert_array_equal(prepare(model).run([A, second])[0], numpy(A, expected))
    if attributes:
        with pytest.raises(ModelError, match="without broadcast=1"):
            prepare(model_of(op_type, opset, (A, second))).run([A, second])


def test_attributes_that_became_inputs():
    reshape = model_of("Reshape", 1, (A,), shape=[0, -1])
    np.testing.assert_array_equal(prepare(reshape).run([A])[0], A.reshape(2, 12))
    cast = model_of("Cast", 1, (A,), to="INT32")
    np.testing.assert_array_equal(prepare(cast).run([A])[0], A.astype(np.int32))
    concat = model_of("Concat", 1, (A, A))  # the axis is 1 unless a node says otherwise, at version 1 alone
    np.testing.assert_array_equal(prepare(concat).run([A, A])[0], np.concatenate([A, A], 1))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_products_of_halves_are_summed_in_float32(dtype):
    a, b, c = (RANDOM.standard_normal(shape).astype(dtype) for shape in ((3, 500), (500, 2), (2,)))
    product = a.astype(np.float64) @ b.astype(np.float64)
    for op_type, inputs in (("Gemm", (a, b)), ("MatMul", (a, b)), ("Gemm", (a, b, c))):
        expected = product + (c.astype(np.float64) if len(inputs) > 2 else 0)
        (y,) = prepare(model_of(op_type, 13, inputs)).run(inputs)
        assert y.dtype == dtype
        # float32 sums of 500 products are off by far less than half an ULP of a half
        bound = np.abs(expected) * float(ml_dtypes.finfo(dtype).eps) * 0.51 + 1e-4
        assert (np.abs(y.astype(np.float64) - expected) <= bound).all()


def test_rank_zero_stays_an_array():
    one = np.array(2, np.float32)
    for op_type, count in (("Tanh", 1), ("Add", 2), ("Relu", 1), ("Identity", 1), ("Max", 2), ("Sigmoid", 1)):
        (y,) = prepare(model_of(op_type, 13, (one,) * count)).run([one] * count)
        assert isinstance(y, np.ndarray)
        assert (y.shape, y.dtype) == ((), np.float32)


HEADS = list(itertools.product(["Softmax", "LogSoftmax", "Hardmax", "Sigmoid"], [11, 13], range(3)))


@pytest.mark.parametrize(("op_type", "opset", "seed"), HEADS)
def test_small_models_at_random(op_type, opset, seed):
    """Chains of nodes before a head, drawn at random, values used twice, views among them."""
    random = np.random.default_rng([seed, opset, len(op_type)])
    steps, live = [], ["x"]
    for number in range(8):
        a, b = random.choice(live, 2)
        text = random.choice(
            [
                f"Add ({a}, {b})",
                f"Mul ({a}, {b})",
                f"Relu ({a})",
                f"Tanh ({a})",
                f"Identity ({a})",
                f"Reshape ({a}, rows)",
                f"Gemm <transB = 1> ({a}, w, c)",
                f"MatMul ({a}, w)",
                f"{op_type} ({a})",
                f"Sub ({a}, c)",
            ]
        )
        steps.append(f"v{number} = {text}")
        live.append(f"v{number}")
    outputs = [*random.choice(live[1:], 2, replace=False), live[-1]]
    outputs = list(dict.fromkeys(outputs))
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> agraph (float[n,6] x) => '
        f"({', '.join(f'float[n,6] {name}' for name in outputs)}) {{ {' '.join(steps)} }}"
    )
    constants = {
        "w": random.standard_normal((6, 6)).astype(np.float32) / 3,
        "c": random.standard_normal(6).astype(np.float32),
        "rows": np.int64([-1, 6]),
    }
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in constants.items())
    x = random.standard_normal((5, 6)).astype(np.float32)
    kept = x.copy()
    assert_as_onnxruntime(model, [x])
    np.testing.assert_array_equal(x, kept)
