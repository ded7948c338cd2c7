"""What an older opset says in another form: the same bits in onnxruntime; and what it cannot say, with what helps."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import decompose
from softops.opset import UnsupportedModelError, convert_version
from softops.opset.convert.step import DECOMPOSABLE

X = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
X[0, 0] = [np.nan, np.inf, -np.inf, -0.0]
CALM = np.random.default_rng(2).normal(size=(2, 3, 4)).astype(np.float32)


def parsed(opset, signature, body, ir=8):
    return onnx.parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["": {opset}]> g {signature} {{ {body} }}'
    )


def run(model, **feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def ops(model):
    return [node.op_type for node in model.graph.node]


def way(source, target, body, expected, *, kind="float", outputs="float[a,b,c] v", image="", **constants):
    """A model, the target, and the operators it then has; constants by name, such as ``s=[0, 1]``."""
    held = ", ".join(_initializer(name, values) for name, values in constants.items())
    image = f", float[{image}] i" if image else ""
    outputs = outputs if kind == "float" else outputs.replace("float", kind)
    signature = f"({kind}[2,3,4] x{image}) => ({outputs}) <{held}>"
    return parsed(source, signature.replace(" <>", ""), body), target, expected


def _initializer(name, values):
    array = np.asarray(values)
    kind = {"f": "float", "d": "double", "i": "int32", "l": "int64", "?": "bool"}[array.dtype.char]
    shape = f"[{array.size}]" if array.ndim else ""
    numbers = array.astype(float if kind in ("float", "double") else int).ravel().tolist()
    return f"{kind}{shape} {name} = {{{', '.join(map(str, numbers))}}}"


F, D, J = np.float32, np.float64, np.int32
INDEX, TWO, PIXELS = (
    "int64[a] v",
    "float[a,b,c] v, float[d,e,f] w",
    {"outputs": "float[a,b,c,d] v", "image": "1,1,2,3"},
)
SCALES, LENGTHS = {**PIXELS, "s": F([1, 1, 2, 3])}, {**PIXELS, "l": [1, 1, 4, 9]}
ASYMMETRIC = 'coordinate_transformation_mode = "asymmetric"'
STEPS = {"s": J([3]), "e": J([0]), "a": J([-1]), "t": J([-2])}
WAYS = {
    "Clip": way(13, 6, "v = Clip (x, a, b)", ["Clip"], a=F(-0.5), b=F(1)),
    "Clip, one bound": way(13, 7, "v = Clip (x, , b)", ["Clip"], b=F(0.25)),
    "Clip, a bound of a node": way(12, 10, "b = Constant <value_float = 0.25> () v = Clip (x, b)", ["Clip"]),
    "Clip, none": way(11, 10, "v = Clip (x)", ["Clip"]),
    "Clip, computed": way(13, 9, "a = Neg (b) v = Clip (x, a)", ["Neg", "Max", "Min"], b=F(0.5)),
    "Clip of doubles": way(12, 9, "v = Clip (x, a, b)", ["Max", "Min"], kind="double", a=D(0.1), b=D(0.7)),
    "Clip of doubles, none": way(12, 9, "v = Clip (x)", ["Max", "Min"], kind="double"),
    "Slice": way(13, 9, "v = Slice (x, s, e, a)", ["Slice"], s=[0, -3], e=[2, 9000], a=[1, -1]),
    "Slice, all axes": way(10, 7, "v = Slice (x, s, e)", ["Slice"], s=[1, 1], e=[2, 3]),
    "Slice, steps of 1": way(13, 9, "v = Slice (x, s, e, a, t)", ["Slice"], s=J([1]), e=J([3]), a=J([2]), t=J([1])),
    "Slice, an axis from the end": way(11, 10, "v = Slice (x, s, e, a, t)", ["Slice"], **STEPS),
    "Slice, a computed axis": way(
        11, 10, "u = Add (a, a) v = Slice (x, s, e, u)", ["Add", "Slice"], s=[0], e=[1], a=[1]
    ),
    "Dropout, a computed ratio": way(12, 10, "u = Neg (r) v = Dropout (x, u)", ["Neg", "Dropout"], r=F(-0.25)),
    "Pad": way(13, 10, "v = Pad (x, p)", ["Pad"], p=[0, 1, 0, 0, 0, 2]),
    "Pad with a number": way(21, 7, "v = Pad (x, p, c)", ["Pad"], p=[0, 1, 0, 0, -1, 2], c=F(0.5)),
    "Pad by reflection": way(18, 9, 'v = Pad <mode = "reflect"> (x, p, , a)', ["Pad"], p=[1, 2], a=[-1]),
    "Pad of some axes": way(18, 17, "v = Pad (x, p, c, a)", ["Pad"], p=[1, 2, 3, 0], a=[2, 0], c=F(1)),
    "Split in halves": way(18, 17, "v, w = Split <axis = 2, num_outputs = 2> (x)", ["Split"], outputs=TWO),
    "Split, a smaller last": way(18, 11, "v, w = Split <axis = 1, num_outputs = 2> (x)", ["Split"], outputs=TWO),
    "Split by lengths": way(21, 7, "v, w = Split <axis = -1> (x, s)", ["Split"], outputs=TWO, s=[1, 3]),
    "Shape from": way(15, 14, "v = Shape <start = 1> (x)", ["Shape", "Slice"], outputs=INDEX),
    "Shape between": way(21, 9, "v = Shape <start = -5, end = -1> (x)", ["Shape", "Slice"], outputs=INDEX),
    "Shape, empty": way(15, 13, "v = Shape <start = 2, end = 1> (x)", ["Shape", "Slice"], outputs=INDEX),
    "Shape, all": way(25, 13, "v = Shape <start = 0> (x)", ["Shape"], outputs=INDEX),
    "Dropout": way(13, 7, "v = Dropout (x, r)", ["Dropout"], r=F(0.25)),
    "Dropout, told not to train": way(22, 10, "v = Dropout (x, r, t)", ["Dropout"], r=F(0.25), t=np.bool_(0)),
    "Gemm": way(11, 7, "v = Gemm <transB = 1> (i, i)", ["Gemm"], outputs="float[2,2] v", image="2,3"),
    "Resize, whole": way(13, 10, "v = Resize (i, , s)", ["Resize"], **SCALES),
    "Resize, whole, by lengths": way(19, 10, "v = Resize (i, , , l)", ["Resize"], **LENGTHS),
    "Resize, as torch does": way(
        11, 10, f'v = Resize <{ASYMMETRIC}, nearest_mode = "floor"> (i, r, s)', ["Resize"],
        **PIXELS, r=np.zeros(0, F), s=F([1, 1, 2.5, 1.5]),
    ),
    "Resize, linear": way(13, 10, f'v = Resize <mode = "linear", {ASYMMETRIC}> (i, , s)', ["Resize"], **SCALES),
    "Resize, inputs left out": way(13, 11, 'v = Resize <mode = "linear"> (i, , , l)', ["Resize"], **LENGTHS),
    "Resize of some axes": way(
        18, 17, 'v = Resize <mode = "linear", axes = [3, -2]> (i, , s)', ["Resize"], **PIXELS, s=F([3, 1.5])
    ),
    "Resize to lengths of some axes": way(
        19, 13, 'v = Resize <mode = "cubic", axes = [-1]> (i, , , l)', ["Resize"], **PIXELS, l=[5]
    ),
    "Upsample": way(13, 9, "v = Resize (i, , s)", ["Upsample"], **SCALES),
    "Upsample by attributes": way(10, 8, "v = Resize (i, s)", ["Upsample"], **SCALES),
    "MaxPool": way(
        12, 7, "v = MaxPool <kernel_shape = [2, 2], dilations = [1, 1], ceil_mode = 0> (i)", ["MaxPool"], **PIXELS
    ),
    "AveragePool": way(
        19, 10, "v = AveragePool <kernel_shape = [2, 2], dilations = [1, 1]> (i)", ["AveragePool"], **PIXELS
    ),
    "HardSwish": way(14, 13, "v = HardSwish (x)", ["HardSigmoid", "Mul"]),
    "Mish": way(18, 9, "v = Mish (x)", ["Softplus", "Tanh", "Mul"]),
    "Sum that broadcasts": way(13, 7, "v = Sum (x, c, x)", ["Add", "Add"], c=F([1, -2, 0.5, 3])),
    "Sum of one shape": way(13, 7, "v = Sum (x, x)", ["Sum"]),
    "Sum of one": way(8, 7, "v = Sum (x)", ["Sum"]),
    "Max of one shape": way(13, 7, "a = Neg (x) v = Max (x, a)", ["Neg", "Max"]),
    "Swish": way(24, 13, "v = Swish <alpha = 0.5> (x)", ["Cast", "Mul", "Sigmoid", "Mul"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_same_bits(name):
    model, target, expected = WAYS[name]
    converted = convert_version(model, target)
    onnx.checker.check_model(converted, full_check=True)
    assert [op for op in ops(converted) if op != "Constant"] == expected
    read = {name for node in converted.graph.node for name in node.input}
    assert {tensor.name for tensor in converted.graph.initializer} <= read
    if target < 7:  # the oldest that onnxruntime reads
        target = 7
        converted = convert_version(model, target)
    random, feeds = np.random.default_rng(3), {}
    for given in model.graph.input:
        shape = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
        double = given.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
        feeds[given.name] = (
            X.astype(F if not double else D) if given.name == "x" else random.normal(size=shape).astype(F)
        )
    for before, after in zip(run(model, **feeds), run(converted, **feeds), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(after, before)


def near(model, converted, x, ulp):
    """Where a runtime has a kernel, and makes single steps of what is converted."""
    for before, after in zip(run(model, x=x), run(converted, x=x), strict=True):
        np.testing.assert_allclose(after, before, rtol=ulp * 2**-23, atol=ulp * 2**-23)


@pytest.mark.parametrize("target", [16, 13, 9, 7])
@pytest.mark.parametrize("axis", [-1, 1, -3, 0])
def test_layer_normalization(target, axis):
    """A mean, a variance, a root, a quotient and a product: some ten roundings of numbers of about 1."""
    shape = CALM.shape[axis:]
    ones = ", ".join(["1.5"] * int(np.prod(shape)))
    weights = f"<float[{','.join(map(str, shape))}] s = {{{ones}}}>"
    text = f"v, m, d = LayerNormalization <axis = {axis}, epsilon = 0.01> (x, s, s)"
    model = parsed(
        17, f"(float[2,3,4] x) => (float[a,b,c] v, float[d,e,f] m, float[g,h,i] d) {weights}", text
    )
    converted = convert_version(model, target)
    onnx.checker.check_model(converted, full_check=True)
    near(model, converted, CALM, 16)


def test_layer_normalization_of_a_large_mean():
    """Of 10,000 and 10,001 in turn the variance is 1/4; the mean of squares less the squared mean has no digit left."""
    signature = "(float[1,4] x) => (float[1,4] v) <float[4] s = {1, 1, 1, 1}>"
    converted = convert_version(parsed(17, signature, "v = LayerNormalization <epsilon = 1.0e-8> (x, s)"), 13)
    (y,) = run(converted, x=np.float32([[10000, 10001, 10000, 10001]]))
    np.testing.assert_allclose(y, [[-1, 1, -1, 1]], rtol=1e-6)


def test_layer_normalization_of_halves():
    signature = (
        "(float16[2,4] x) => (float16[2,4] v) <float16[4] s = {15360, 15360, 15360, 15360}>"  # the bits of 1
    )
    model = parsed(17, signature, "v = LayerNormalization (x, s)")
    converted = convert_version(model, 13)
    x = CALM[0, :2].astype(np.float16)
    np.testing.assert_allclose(
        run(converted, x=x)[0].astype(float), run(model, x=x)[0].astype(float), atol=2**-9
    )


@pytest.mark.parametrize(("approximate", "target"), [("none", 13), ("tanh", 13), ("none", 9), ("tanh", 7)])
def test_gelu(approximate, target):
    model = parsed(
        20, "(float[2,3,4] x) => (float[a,b,c] v)", f'v = Gelu <approximate = "{approximate}"> (x)'
    )
    near(model, convert_version(model, target), CALM, 8)


def test_a_function_of_what_is_as_new_as_itself():
    """DynamicQuantizeLinear came with 11, and so did the Round that it rounds by."""
    signature = "(float[2,3,4] x) => (uint8[2,3,4] v, float s, uint8 z)"
    model = parsed(11, signature, "v, s, z = DynamicQuantizeLinear (x)")
    with pytest.raises(UnsupportedModelError, match=r"got Round: it is new in opset 11\)"):
        convert_version(model, 10)


def test_a_function_with_a_loop_stays_refused():
    """That of a Range, whose body has names of its own."""
    model = parsed(11, "(float[2,3,4] x, int64 n) => (int64[a] v)", "v = Range (n, n, n)")
    with pytest.raises(UnsupportedModelError, match=r"got Range: it is new in opset 11\)"):
        convert_version(model, 10)


def test_what_stays_in_a_branch_and_a_function():
    text = """(float[2,3,4] x, bool c) => (float[2,3,4] v) {
        h = own.f (x)
        v = If (c) <then_branch = t () => (float[2,3,4] a) { l = Constant <value_float = 0.0> () a = Clip (h, l) },
                    else_branch = e () => (float[2,3,4] b) { b = HardSwish (h) }> }
        <domain: "own", opset_import: ["": 14]> f (y) => (z) { l = Constant <value_float = -1.0> () z = Clip (y, l) }"""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 14, "own": 1]> g {text}')
    converted = convert_version(model, 10)
    for chosen in (True, False):
        feeds = {"x": CALM, "c": np.array(chosen)}
        np.testing.assert_array_equal(run(converted, **feeds)[0], run(model, **feeds)[0])


VECTOR = "(float[4] x, int64[1] s) => (float[a] v)"
HALVES = "(float[2,K] x) => (float[2,a] v, float[2,b] w)"
REFUSED = {
    "a computed place": (parsed(13, VECTOR, "v = Slice (x, s, s)"), 9, "'s' has to be a constant"),
    "steps": (way(13, 9, "v = Slice (x, s, e, s, t)", [], s=[0], e=[4], t=[2])[0], 9, "steps are new in opset 10"),
    "computed pads": (parsed(13, VECTOR.replace("1]", "2]"), "v = Pad (x, s)"), 10, "'s' has to be a constant"),
    "halves of an unknown length": (
        parsed(18, HALVES, "v, w = Split <axis = 1, num_outputs = 2> (x)"), 17, "the length of its axis is not known",
    ),
    "axes of an unknown rank": (
        parsed(17, "(float[] x, float[K] s) => (float[] v)", "v = LayerNormalization <axis = 0> (x, s)"), 16,
        "the rank of its input is not known",
    ),
    "linear": (way(13, 10, 'v = Resize <mode = "linear"> (i, , s)', [], **SCALES)[0], 10, "in another way"),
    "cubic": (way(13, 10, 'v = Resize <mode = "cubic"> (i, , s)', [], **SCALES)[0], 10, "in another way"),
    "a broken scale": (
        way(13, 10, "v = Resize (i, , s)", [], **PIXELS, s=F([1, 1, 2.5, 1]))[0], 10, "in another way",
    ),
    "smaller": (way(10, 9, "v = Resize (i, s)", [], **PIXELS, s=F([1, 1, 0.5, 1]))[0], 9, "makes smaller"),
    "smaller, as torch does": (
        way(11, 10, f'v = Resize <{ASYMMETRIC}, nearest_mode = "floor"> (i, r, s)', [],
            **PIXELS, r=np.zeros(0, F), s=F([1, 1, 0.5, 1]))[0], 10, "in another way",
    ),
    "antialias": (
        way(18, 17, 'v = Resize <mode = "linear", antialias = 1> (i, , s)', [], **SCALES)[0], 17, "antialias is new",
    ),
    "a largest that broadcasts": (way(13, 7, "v = Max (x, c)", [], c=F([1, 2, 3, 4]))[0], 7, "to be of one shape"),
    "training": (way(12, 11, "v = Dropout (x, r, t)", [], r=F(0.5), t=np.bool_(1))[0], 11, "training_mode"),
    "integers": (way(12, 10, "v = Clip (x, a)", [], kind="int64", a=np.int64(1))[0], 10, "takes no tensor.int64."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    model, target, reason = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=reason):
        convert_version(model, target)


NORM = "BatchNormalization {} (x, s, s, s, t)"


@pytest.mark.parametrize(("source", "target"), [(9, 14), (13, 14), (14, 13), (15, 7), (7, 22)])
def test_batch_normalization_that_does_not_train(source, target):
    signature = "(float[2,3,4] x) => (float[2,3,4] v) <float[3] s = {1, 2, 3}, float[3] t = {4, 5, 6}>"
    for said in ("", "<training_mode = 0>") if source >= 14 else ("",):
        model = parsed(source, signature, f"v = {NORM.format(said)}")
        np.testing.assert_array_equal(run(convert_version(model, target), x=CALM)[0], run(model, x=CALM)[0])


def test_batch_normalization_that_trains_gives_other_outputs_at_14():
    """Below 14 five outputs say that it trains, since then an attribute, and two of the outputs are no more."""
    signature = (
        "(float[2,3,4] x) => (float[2,3,4] v, float[3] m) <float[3] s = {1, 2, 3}, float[3] t = {4, 5, 6}>"
    )
    below = parsed(13, signature, f"v, m, d, a, b = {NORM.format('')}")
    with pytest.raises(UnsupportedModelError, match=r"BatchNormalization: .*outputs 4 and 5"):
        convert_version(below, 14)
    for said in ("<training_mode = 1>", ""):
        since = parsed(14, signature, f"v, m, d = {NORM.format(said)}")
        with pytest.raises(UnsupportedModelError, match=r"equal at opset 13 \(got BatchNormalization: "):
            convert_version(since, 13)


def test_what_decompose_spells_out_is_hinted_at():
    signature = "(float[1,2,3,4] x) => (float[1,2,3,4] v)"
    with pytest.raises(UnsupportedModelError, match=r"`softops export decompose … Attention`"):
        convert_version(parsed(23, signature, "v = Attention (x, x, x)", ir=11), 22)
    up = parsed(27, "(int32[4] x) => (int32[1] v)", "v = ReduceLogSumExp (x)", ir=11)
    with pytest.raises(UnsupportedModelError, match="no tensor") as caught:
        convert_version(up, 28)
    assert "decompose" not in str(caught.value)
    with pytest.raises(ValueError, match="expected operators among") as refused:
        decompose(parsed(13, "(float[2] x) => (float[2] v)", "v = Relu (x)"), "Relu")
    named = str(refused.value).partition("among ")[2].partition(" (got")[0]
    assert set(named.split(", ")) == set(DECOMPOSABLE)
