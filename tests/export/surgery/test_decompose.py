"""Operators as simpler ones: the same values, at every opset and in every type."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from scipy import special

from softops.export import decompose, loss
from softops.opset import UnsupportedModelError, operator, operators

OPSETS = [7, 9, 11, 12, 13, 17, 18, 21, onnx.defs.onnx_opset_version()]
TYPES = {"float": np.float32, "double": np.float64, "float16": np.float16}
ALONG_AXIS = {"Softmax": special.softmax, "LogSoftmax": special.log_softmax}
SIMPLE = {
    "Sigmoid": special.expit,
    "Softplus": lambda x: np.logaddexp(0, x),
    "HardSigmoid": lambda x: np.clip(float(np.float32(0.2)) * x + 0.5, 0, 1),  # attributes are float32
    "Softsign": lambda x: x / (1 + abs(x)),
}
PRIMITIVES = {
    "Abs", "Add", "ArgMax", "Cast", "Clip", "Constant", "Div", "Exp", "Flatten", "Gather", "Log", "Max", "Min",
    "Mul", "Neg", "OneHot", "ReduceMax", "ReduceSum", "Relu", "Reshape", "Shape", "Sub",
}  # fmt: skip


def under_axis_rule(oracle, x, axis, opset):
    """What an operator means at an opset: below 13 all dimensions from the axis on together."""
    if opset >= 13:
        return oracle(x, axis=axis)
    return oracle(x.reshape(*x.shape[:axis], -1), axis=axis).reshape(x.shape)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("op", ALONG_AXIS)
def test_along_each_axis(parsed, run_onnxruntime, run_softops, opset, kind, op):
    x = (9 * np.random.default_rng(0).standard_normal((2, 3, 4))).astype(TYPES[kind])
    x[0, 0] = [0, -np.inf, np.finfo(TYPES[kind]).max / 4, 1]  # which overflows without the maximum subtracted
    eps = float(np.finfo(TYPES[kind]).eps)
    for axis in (0, 1, 2):
        model = parsed(opset, f"g ({kind}[N,3,4] x) => ({kind}[N,3,4] y) {{ y = {op}<axis = {axis}>(x) }}")
        simple = decompose(model, op)
        assert {node.op_type for node in simple.graph.node} <= PRIMITIVES
        with np.errstate(all="ignore"):
            exact = under_axis_rule(ALONG_AXIS[op], x.astype(np.float64), axis, opset)
        for run in (run_onnxruntime, run_softops):
            y = run(simple, {"x": x})["y"]
            assert y.dtype == x.dtype
            # The exponent's argument, up to 60, is rounded once: so many roundings in relative terms.
            np.testing.assert_allclose(y, exact, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_hardmax(parsed, run_onnxruntime, run_softops, opset, axis):
    model = parsed(opset, f"g (float[N,3,4] x) => (float[N,3,4] y) {{ y = Hardmax<axis = {axis}>(x) }}")
    if opset < 9:
        with pytest.raises(UnsupportedModelError, match=r"opset 9 or newer.*got 7"):
            decompose(model, "Hardmax")
        return
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 4)).astype(np.float32)  # with ties
    exact = operator("Hardmax", opset).exact(x, axis, dtype=np.float32)
    for run in (run_onnxruntime, run_softops):
        np.testing.assert_array_equal(run(decompose(model, "Hardmax"), {"x": x})["y"], exact)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_log_sum_exp(parsed, run_onnxruntime, run_softops, opset, kind, keepdims):
    x = np.array([[1, 2, 3], [-np.inf] * 3, [np.inf, 0, 1], [60000, 60000, 0], [np.nan, 1, 2]], TYPES[kind])
    reduced = f"ReduceLogSumExp<keepdims = {keepdims}, axes = [1]>(x)"
    if opset >= 18:
        reduced = f"ReduceLogSumExp<keepdims = {keepdims}>(x, a)"
    constant = "a = Constant<value = int64[1] {1}>()" if opset >= 18 else ""
    shape = "N,1" if keepdims else "N"
    model = parsed(opset, f"g ({kind}[N,3] x) => ({kind}[{shape}] y) {{ {constant} y = {reduced} }}")
    if (opset, kind) == (7, "double"):
        with pytest.raises(UnsupportedModelError, match="opset 8 or newer"):
            decompose(model, "ReduceLogSumExp")
        return
    simple = decompose(model, "ReduceLogSumExp")
    exact = special.logsumexp(x.astype(np.float64), axis=1, keepdims=bool(keepdims))
    for run in (run_onnxruntime, run_softops):
        np.testing.assert_allclose(run(simple, {"x": x})["y"], exact, rtol=8 * float(np.finfo(x.dtype).eps))


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("op", SIMPLE)
def test_elementwise(parsed, run_onnxruntime, run_softops, opset, kind, op):
    if (opset, kind, op) == (7, "double", "HardSigmoid"):
        pytest.skip("bounds of float64 cannot be written at opset 7: test_log_sum_exp has the error")
    model = parsed(opset, f"g ({kind}[5] x) => ({kind}[5] y) {{ y = {op}(x) }}")
    x = np.array([-1000, -87, -0.5, 3, 1000], TYPES[kind])
    exact = SIMPLE[op](x.astype(np.float64))
    eps = float(np.finfo(TYPES[kind]).eps)
    # Softplus is right to a rounding of 1, the others in relative terms; 87 times a rounding of the argument.
    atol = eps if op == "Softplus" else 0
    for run in (run_onnxruntime, run_softops):
        y = run(decompose(model, op), {"x": x})["y"]
        assert y.dtype == x.dtype
        np.testing.assert_allclose(y, exact.astype(y.dtype), rtol=8 * eps, atol=atol)


def test_an_axis_of_unknown_rank_is_flattened_or_counted_from_the_end(parsed, run_onnxruntime):
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    feeds = {"x": x, "shape": np.array([2, 3, 4])}
    for axis, reshaped in ((1, 1), (-2, 0)):
        # The Reshape behind it keeps the declared rank of y from telling that of h.
        text = f"h = Reshape(x, shape) p = Softmax<axis = {axis}>(h) y = Reshape(p, shape)"
        model = parsed(11, f"g (float[N,3,4] x, int64[k] shape) => (float[?,?,?] y) {{ {text} }}")
        simple = decompose(model, "Softmax")
        assert [node.op_type for node in simple.graph.node].count("Reshape") == 2 + reshaped
        np.testing.assert_allclose(
            run_onnxruntime(simple, feeds)["y"], run_onnxruntime(model, feeds)["y"], rtol=1e-6
        )


def test_bfloat16_is_computed_in_float32(parsed, run_softops):
    x = np.random.default_rng(0).standard_normal((3, 300)).astype(ml_dtypes.bfloat16)
    model = parsed(17, "g (bfloat16[N,300] x) => (bfloat16[N,300] y) { y = Softmax(x) }")
    y = run_softops(decompose(model, "Softmax"), {"x": x})["y"]
    assert y.dtype == ml_dtypes.bfloat16
    exact = special.softmax(x.astype(np.float64), axis=1)
    np.testing.assert_allclose(
        y.astype(float), exact, rtol=2**-8
    )  # one rounding; a sum in bfloat16 stops at 256


def test_several_at_once_with_names_that_are_free(parsed, run_onnxruntime, same_bits):
    text = "y_max = Abs(x) p = Softmax(y_max) y = Sigmoid(p) w = Neg(y_max)"
    model = parsed(17, f"g (float[N,5] x) => (float[N,5] y, float[N,5] w) {{ {text} }}")
    model.graph.node[1].name = "p_exp"
    simple = decompose(model, ["Softmax", "Sigmoid"])
    names = [name for node in simple.graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert {node.op_type for node in simple.graph.node} <= PRIMITIVES
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    before, after = run_onnxruntime(model, {"x": x}), run_onnxruntime(simple, {"x": x})
    np.testing.assert_allclose(after.pop("y"), before.pop("y"), rtol=1e-6)
    same_bits(after, before)


def test_every_operator_of_the_table_that_is_no_gradient_or_loss_has_a_form(parsed):
    for row in operators():
        if row.op_type in ALONG_AXIS | SIMPLE and row.since_version <= 17:
            model = parsed(17, f"g (float[N,5] x) => (float[N,5] y) {{ y = {row.op_type}(x) }}")
            assert decompose(model, row.op_type).graph.node[-1].output == ["y"]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("Sigmoid", "a model with Sigmoid"),
        ("Softmaxx", "expected operators among .*'Softmaxx'"),
        (["Softmax", "Gelu"], "'Gelu'"),
    ],
)
def test_an_operator_that_is_not_there(parsed, tmp_path, op, message):
    model = parsed(17, "g (float[N,5] x) => (float[N,5] y) { y = Softmax(x) }")
    with pytest.raises(ValueError, match=message):
        decompose(model, op, path=tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_integers_are_refused(parsed):
    model = parsed(17, "g (int32[N,5] x) => (int32[N,1] y) { y = ReduceLogSumExp<axes = [1]>(x) }")
    with pytest.raises(UnsupportedModelError, match=r"of floats \(got int32"):
        decompose(model, "ReduceLogSumExp")


@pytest.mark.parametrize("opset", [12, 13, 17, 22, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_down_to_the_last_operator(parsed, run_onnxruntime, run_softops, opset, reduction):
    text = f'l = SoftmaxCrossEntropyLoss<reduction = "{reduction}">(x, t)'
    model = parsed(opset, f"g (float[N,5] x, int64[N] t) => (float l) {{ {text} }}")
    family = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", "LogSoftmax"]
    simple = decompose(model, family)
    assert not {node.op_type for node in simple.graph.node}.intersection(family)
    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    t = np.array([0, 1, 2, 3, 4, 0])
    losses = -special.log_softmax(x.astype(float), axis=1)[np.arange(6), t]
    for run in (run_onnxruntime, run_softops):
        np.testing.assert_allclose(
            run(simple, {"x": x, "t": t})["l"], getattr(losses, reduction)(), rtol=1e-5
        )


@pytest.mark.parametrize("opset", [12, 13, 17, 22, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    "options", [{}, {"class_weight": [1, 2, 0.5, 1, 1]}, {"dims": ["t"], "ignore_index": -1}], ids=str
)
def test_the_loss_that_softops_exports(run_onnxruntime, opset, dtype, options):
    """Its class weights are an initializer, and it leaves inputs out: of both the inliner knows no type."""
    model = loss(
        5, outputs=["loss", "log_probabilities"], decompose=False, opset=opset, dtype=dtype, **options
    )
    family = ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", "LogSoftmax"]
    simple = decompose(model, family)
    assert not {node.op_type for node in simple.graph.node}.intersection(family)
    assert not {value.name for value in simple.graph.value_info} & {"", "class_weight"}
    random = np.random.default_rng(0)
    deep = "dims" in options
    feeds = {
        "logits": random.standard_normal((6, 5, 3) if deep else (6, 5)).astype(dtype),
        "labels": random.integers(-1 if deep else 0, 5, (6, 3) if deep else 6),
    }
    before, after = run_onnxruntime(model, feeds), run_onnxruntime(simple, feeds)
    for name, wanted in before.items():
        np.testing.assert_allclose(after[name], wanted, rtol=1e-5 if dtype != "float16" else 2e-3, atol=1e-6)


@pytest.mark.parametrize("opset", [24, onnx.defs.onnx_opset_version()])
def test_attention_with_an_input_left_out_between_others(parsed, run_onnxruntime, opset):
    model = parsed(
        opset,
        "g (float[1,2,N,4] q, float[1,2,N,4] k, float[1,2,P,4] pk, float[1,2,P,4] pv) => "
        "(float[1,2,N,4] y, float[1,2,M,4] k2, float[1,2,M,4] v2) { y, k2, v2 = Attention(q, k, k, , pk, pv) }",
    )
    assert list(model.graph.node[0].input) == ["q", "k", "k", "", "pk", "pv"]
    simple = decompose(model, ["Attention", "Softmax"])
    assert not {node.op_type for node in simple.graph.node} & {"Attention", "Softmax"}
    random = np.random.default_rng(0)
    feeds = {name: random.standard_normal((1, 2, 3, 4)).astype(np.float32) for name in ("q", "k", "pk", "pv")}
    before, after = run_onnxruntime(model, feeds), run_onnxruntime(simple, feeds)
    for name, wanted in before.items():
        np.testing.assert_allclose(after[name], wanted, rtol=1e-5, atol=1e-6)


def test_a_loss_in_a_branch_with_weights_of_its_own(parsed, run_onnxruntime):
    text = (
        "g (float[N,3] x, int64[N] t, bool c) => (float y) { y = If (c) <"
        "then_branch = yes () => (float l) <float[3] w = {1.0, 2.0, 3.0}> "
        "{ l = SoftmaxCrossEntropyLoss(x, t, w) },"
        "else_branch = no () => (float m) { h = Neg(x) m = SoftmaxCrossEntropyLoss(h, t) }> }"
    )
    model = parsed(17, text)
    simple = decompose(model, ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    for flag in (True, False):
        feeds = {"x": x, "t": np.array([0, 1, 2, 0]), "c": np.array(flag)}
        np.testing.assert_allclose(
            run_onnxruntime(simple, feeds)["y"], run_onnxruntime(model, feeds)["y"], rtol=1e-5
        )


@pytest.mark.parametrize("opset", [23, 24, onnx.defs.onnx_opset_version()])
def test_attention(parsed, run_onnxruntime, opset):
    model = parsed(
        opset, "g (float[1,2,N,4] q, float[1,2,N,4] k) => (float[1,2,N,4] y) { y = Attention(q, k, k) }"
    )
    simple = decompose(model, ["Attention", "Softmax"])
    assert not {node.op_type for node in simple.graph.node} & {"Attention", "Softmax"}
    q, k = np.random.default_rng(0).standard_normal((2, 1, 2, 3, 4)).astype(np.float32)
    exact = special.softmax(q @ k.swapaxes(2, 3) / 2, axis=3) @ k
    np.testing.assert_allclose(run_onnxruntime(simple, {"q": q, "k": k})["y"], exact, rtol=1e-5, atol=1e-6)


def test_a_loss_in_a_function_is_refused(parsed):
    function = (
        '<domain: "own", opset_import: ["" : 17]> f (v, t) => (l) { l = SoftmaxCrossEntropyLoss(v, t) }'
    )
    graph = "g (float[N,5] x, int64[N] t) => (float l) { l = own.f(x, t) }"
    model = parsed(17, f"{graph} {function}", imports=', "own" : 1')
    with pytest.raises(UnsupportedModelError, match="outside of functions"):
        decompose(model, "SoftmaxCrossEntropyLoss")
