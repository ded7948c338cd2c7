"""The rest of the family across opsets: converted right, or refused in one line that says why."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError, UnknownOpsetError, UnsupportedModelError, convert_version
from softops.opset.backend import prepare

X = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)


def parsed(opset, signature, body, ir=8):
    return onnx.parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["": {opset}]> g {signature} {{ {body} }}'
    )


def run(model, **feeds):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


TOPK = "(float[2,3,4] x) => (float[2,3,2] v, int64[2,3,2] i)"
TOPK_INPUT = f"{TOPK} <int64[1] k = {{2}}>"
REDUCED = "(float[2,3,4] x) => (float[2,1,4] v)"
WAYS = [
    ("TopK k", 9, 21, TOPK, "v, i = TopK <k = 2> (x)"),
    ("TopK k", 21, 9, TOPK_INPUT, "v, i = TopK <axis = -1> (x, k)"),
    ("TopK k from a node", 12, 7, TOPK, "k = Constant <value_ints = [2]> ()  v, i = TopK (x, k)"),
    ("TopK order", 21, 10, TOPK_INPUT, "v, i = TopK <sorted = 1, largest = 1> (x, k)"),
    ("ReduceLogSumExp", 17, 18, REDUCED, "v = ReduceLogSumExp <axes = [-2]> (x)"),
    ("ReduceLogSumExp", 7, 26, REDUCED, "v = ReduceLogSumExp <axes = [1]> (x)"),
    ("ReduceLogSumExp", 21, 7, f"{REDUCED} <int64[1] a = {{-2}}>", "v = ReduceLogSumExp (x, a)"),
    (
        "ReduceLogSumExp all",
        18,
        13,
        "(float[2,3,4] x) => (float v)",
        "v = ReduceLogSumExp <keepdims = 0> (x)",
    ),
    (
        "ReduceLogSumExp all",
        13,
        18,
        "(float[2,3,4] x) => (float v)",
        "v = ReduceLogSumExp <keepdims = 0> (x)",
    ),
    (
        "ReduceLogSumExp none",
        18,
        12,
        "(float[2,3,4] x) => (float[2,3,4] v) <int64[0] a = {}>",
        "v = ReduceLogSumExp <noop_with_empty_axes = 1> (x, a)",
    ),
    ("ReduceSum", 13, 11, f"{REDUCED} <int64[1] a = {{1}}>", "v = ReduceSum (x, a)"),
    ("ArgMax", 13, 7, "(float[2,3,4] x) => (int64[2,3] v)", "v = ArgMax <axis = -1, keepdims = 0> (x)"),
    ("ArgMax", 7, 26, "(float[2,3,4] x) => (int64[1,3,4] v)", "v = ArgMax (x)"),
    ("Flatten", 21, 9, "(float[2,3,4] x) => (float[6,4] v)", "v = Flatten <axis = -1> (x)"),
    ("Sigmoid", 13, 6, "(float[2,3,4] x) => (float[2,3,4] v)", "v = Sigmoid (x)"),
    ("Sigmoid", 6, 26, "(float[2,3,4] x) => (float[2,3,4] v)", "v = Sigmoid (x)"),
    ("Softplus", 22, 7, "(float[2,3,4] x) => (float[2,3,4] v)", "v = Softplus (x)"),
    (
        "SoftmaxCrossEntropyLoss",
        13,
        12,
        "(float[2,3,4] x) => (float v) <int64[2,4] l = {0,1,2,0,1,2,0,1}>",
        "v = SoftmaxCrossEntropyLoss (x, l)",
    ),
    (
        "NegativeLogLikelihoodLoss",
        22,
        12,
        "(float[2,3,4] x) => (float v) <int64[2,4] l = {0,1,2,0,1,2,0,1}>",
        "v = NegativeLogLikelihoodLoss (x, l)",
    ),
]


@pytest.mark.parametrize(("source", "target", "signature", "body"), [way[1:] for way in WAYS])
def test_same_result(source, target, signature, body):
    model = parsed(source, signature, body)
    converted = convert_version(model, target)
    onnx.checker.check_model(converted, full_check=True)
    for expected, got in zip(run(model, x=X), run(converted, x=X), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_constant_that_became_an_attribute_is_gone():
    converted = convert_version(parsed(21, TOPK_INPUT, "v, i = TopK (x, k)"), 9)
    assert not converted.graph.initializer
    shared = "(float[2,3,4] x) => (float[2,3,2] v, int64[2,3,2] i, int64[1] j) <int64[1] k = {2}>"
    converted = convert_version(parsed(21, shared, "v, i = TopK (x, k) j = Identity (k)"), 9)
    assert [tensor.name for tensor in converted.graph.initializer] == ["k"]


def test_sigmoid_of_opset_1():
    """onnxruntime has no kernel for it."""
    model = parsed(1, "(float[2,3,4] x) => (float[2,3,4] v)", "v = Sigmoid <consumed_inputs = [0]> (x)", ir=3)
    converted = convert_version(model, 13)
    assert not converted.graph.node[0].attribute
    for expected, got in zip(prepare(model).run({"x": X}), prepare(converted).run({"x": X}), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert convert_version(converted, 1).opset_import[0].version == 1


@pytest.mark.parametrize("constant", [True, False])
def test_slopes_for_each_channel(constant):
    """Before opset 7 a slope belongs to a channel; since then a vector would go along the last dimension."""
    slopes = np.float32([0.5, -1, 2])
    given = "float[N,C,3] x" if constant else "float[N,3,3] x, float[3] s"
    stored = " <float[3] s = {0.5, -1, 2}>" if constant else ""
    model = parsed(6, f"({given}) => (float[N,M,3] v){stored}", "v = PRelu (x, s)", ir=4)
    x = X[:, :, :3].copy()
    expected = np.where(x < 0, x * slopes[:, None], x)
    feeds = {"x": x} if constant else {"x": x, "s": slopes}
    np.testing.assert_array_equal(prepare(model).run(feeds)[0], expected)
    for target in (7, 9, 21):
        converted = convert_version(model, target)
        np.testing.assert_array_equal(run(converted, **feeds)[0], expected)
        back = convert_version(converted, 6)
        np.testing.assert_array_equal(prepare(back).run(feeds)[0], expected)


@pytest.mark.parametrize("slopes", ["float[1] s = {0.5}", "float[3,1] s = {1, 2, 3}", "float s = {2}"])
def test_slopes_that_stay(slopes):
    model = parsed(9, f"(float[2,3,4] x) => (float[2,3,4] v) <{slopes}>", "v = PRelu (x, s)")
    converted = convert_version(model, 6)
    np.testing.assert_array_equal(prepare(converted).run([X])[0], run(model, x=X)[0])


def attention(opset, mask, keys=3, **attributes):
    """Attention with a mask of that shape over so many keys."""
    signature = f"(float[1,2,3,4] q, float[1,2,{keys},4] k, float[{mask}] m) => (float[1,2,3,4] v)"
    text = ", ".join(f"{name} = {value}" for name, value in attributes.items())
    return parsed(opset, signature, f"v = Attention {f'<{text}>' if text else ''} (q, k, k, m)", ir=11)


@pytest.mark.parametrize(("mask", "keys"), [("3,3", 3), ("3,1", 1), ("B,S,T", 3)])
def test_masks_as_long_as_the_keys_stay(mask, keys):
    """A symbol is the length of the keys where theirs is the same symbol."""
    for source, target in ((23, 24), (24, 23)):
        model = attention(source, mask, "T" if "T" in mask else keys)
        assert convert_version(model, target).graph == model.graph


# Before 24 a mask is of length 1 or of that of all keys, of which there are two, and one more of the past.
MASKS = [
    (source, target, length, past)
    for source, target in ((23, 24), (24, 23), (23, 25), (25, 23))
    for past in (False, True)
    for length in ((1, 2 + past) if source == 23 else (1, 2, 3)[: 2 + past])
]


@pytest.mark.parametrize(("source", "target", "length", "past"), MASKS)
@pytest.mark.parametrize("declared", ["3,L", "L", "1,1,3,L", None])
@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_masks_that_are_broadcast_before_24_and_padded_since(source, target, declared, length, past, dtype):
    """Whatever the length turns out to be, the result is that of before."""
    declared = declared or f"3,{length}"
    kind = "bool" if dtype is np.bool_ else "float"
    body, caches = "v, pk, pv = Attention (q, k, k, m, c, c)", ", float[1,2,P,4] c"
    if not past:
        body, caches = "v = Attention (q, k, k, m)", ""
    signature = f"(float[1,2,3,4] q, float[1,2,2,4] k, {kind}[{declared}] m{caches}) => (float[1,2,3,4] v)"
    model = parsed(source, signature, body, ir=11)
    random = np.random.default_rng(0)
    shape = {"L": (length,), "1,1,3,L": (1, 1, 3, length)}.get(declared, (3, length))
    q, k, c = (random.standard_normal((1, 2, n, 4)).astype(np.float32) for n in (3, 2, 1))
    m = random.standard_normal(shape) > 0
    mask = m if dtype is np.bool_ else np.where(m, random.standard_normal(shape), -np.inf).astype(dtype)
    feeds = {"q": q, "k": k, "m": mask} | ({"c": c} if past else {})
    expected = prepare(model).run(feeds)[0]
    converted = convert_version(model, target)
    onnx.checker.check_model(converted, full_check=True)
    np.testing.assert_array_equal(prepare(converted).run(feeds)[0], expected)


CACHED = "(float[1,1,1,4] q, float[1,1,{k},4] k, float[1,1,{p},4] p, float[1,{m}] m) => (float[1,1,1,4] v)"


@pytest.mark.parametrize(
    ("k", "p", "m", "stays"),
    [
        (2, 1, 3, True),
        (2, 1, 2, False),
        (2, 1, 1, False),
        ("?", 1, "?", False),
        (2, "P", "T", False),
        (0, 3, 3, False),
    ],
)
def test_masks_as_long_as_the_keys_and_those_of_the_past(k, p, m, stays):
    """A length of 0 is that of exporters that mean any; two lengths that are not known are not the same."""
    body = "v, pk, pv = Attention (q, k, k, m, p, p)"
    model = parsed(23, CACHED.format(k=k, p=p, m=m), body, ir=11)
    assert (len(convert_version(model, 24).graph.node) == 1) == stays


def test_masks_of_an_unknown_length_for_keys_of_an_unknown_number():
    signature = "(float[1,1,1,4] q, float[1,1,?,4] k, float[1,?] m) => (float[1,1,1,4] v)"
    assert len(convert_version(parsed(23, signature, "v = Attention (q, k, k, m)", ir=11), 24).graph.node) > 1


@pytest.mark.parametrize(
    "body", ["k = Reshape (u, s) v = Attention (q, k, k, m)", "k = Reshape (m, s) v = Attention (q, u, u, k)"]
)
def test_masks_beside_keys_of_which_one_has_no_known_rank(body):
    signature = "(float[1,1,1,4] q, float[1,1,2,4] u, int64[R] s, float[1,2] m) => (float[1,1,1,4] v)"
    model = parsed(23, signature, body, ir=11)
    feeds = {
        "q": np.ones((1, 1, 1, 4), np.float32),
        "u": np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4) / 8,
    }
    feeds |= {"s": np.array([1, 1, 2, 4] if "(u" in body else [1, 2]), "m": np.float32([[0, -1]])}
    (expected,) = prepare(model).run(feeds)
    np.testing.assert_array_equal(prepare(convert_version(model, 24)).run(feeds)[0], expected)


def test_masks_in_functions_whose_types_are_not_known():
    function = '<domain: "own", opset_import: ["" : 23]> f (q, k, m) => (v) { v = Attention (q, k, k, m) }'
    text = (
        "g (float[1,1,1,1] q, float[1,1,2,1] k, float[1,1] m) => (float[1,1,1,1] v) { v = own.f (q, k, m) }"
    )
    model = onnx.parser.parse_model(f'<ir_version: 11, opset_import: ["" : 23, "own" : 1]> {text} {function}')
    feeds = {"q": np.ones((1, 1, 1, 1), np.float32), "k": np.float32([0, 10]).reshape(1, 1, 2, 1)}
    feeds["m"] = np.zeros((1, 1), np.float32)
    (expected,) = prepare(model).run(feeds)
    np.testing.assert_array_equal(prepare(convert_version(model, 24)).run(feeds)[0], expected)
    back = convert_version(model, 24)
    with pytest.raises(UnsupportedModelError, match="a mask shorter than the keys is padded since"):
        convert_version(back, 23)


def test_numbers_of_heads_go_where_they_are_refused():
    model = attention(24, "3,3", q_num_heads=2, kv_num_heads=2)
    converted = convert_version(model, 25)
    assert not converted.graph.node[0].attribute
    random = np.random.default_rng(4)
    q, k = (random.normal(size=(1, 2, 3, 4)).astype(np.float32) for _ in range(2))
    feeds = {"q": q, "k": k, "m": np.zeros((3, 3), np.float32)}
    np.testing.assert_array_equal(prepare(converted).run(feeds)[0], prepare(model).run(feeds)[0])


NEEDED = "v = Attention <q_num_heads = 2, kv_num_heads = 2> (q, q, q)"
IN_A_FUNCTION = (
    '<ir_version: 11, opset_import: ["": 24, "own": 1]> g (float[1,3,8] x) => (float[1,3,8] y) { y = own.f (x) } '
    f'<domain: "own", opset_import: ["": 24]> f (q) => (v) {{ {NEEDED} }}'
)


@pytest.mark.parametrize(
    "model",
    [
        parsed(24, "(float[1,3,8] q) => (float[1,3,8] v)", NEEDED, ir=11),
        onnx.parser.parse_model(IN_A_FUNCTION),
    ],
    ids=["rank 3", "a rank that is not known"],
)
def test_numbers_of_heads_stay_where_they_are_needed(model):
    converted = convert_version(model, 25)
    (body,) = converted.functions or [converted.graph]
    assert {a.name: a.i for a in body.node[0].attribute} == {"q_num_heads": 2, "kv_num_heads": 2}
    x = np.random.default_rng(4).normal(size=(1, 3, 8)).astype(np.float32)
    np.testing.assert_array_equal(prepare(converted).run([x])[0], prepare(model).run([x])[0])


CACHE = "(float[1,1,1,4] q, float[1,1,3,4] k, int64[1] n) => (float[1,1,1,4] v{})"


def test_lengths_of_a_cache():
    """Refused since 25 beside new keys and values; unknown before 24."""
    beside = parsed(
        24, CACHE.format(", float[a,b,c,d] pk"), "v, pk, pv = Attention (q, k, k, , , , n)", ir=11
    )
    with pytest.raises(UnsupportedModelError, match="beside new keys and values are refused since opset 25"):
        convert_version(beside, 25)
    alone = parsed(24, CACHE.format(""), "v = Attention (q, k, k, , , , n)", ir=11)
    converted = convert_version(alone, 25)
    onnx.checker.check_model(converted, full_check=True)
    random = np.random.default_rng(1)
    q, k = (random.normal(size=(1, 1, n, 4)).astype(np.float32) for n in (1, 3))
    feeds = {"q": q, "k": k, "n": np.array([2])}
    np.testing.assert_array_equal(prepare(converted).run(feeds)[0], prepare(alone).run(feeds)[0])
    with pytest.raises(UnsupportedModelError, match="lengths of a cache are new in opset 24"):
        convert_version(alone, 23)


def test_attention_goes_up():
    signature = "(float[1,2,3,4] q) => (float[1,2,3,4] v)"
    model = parsed(23, signature, "v = Attention (q, q, q)", ir=11)
    q = np.random.default_rng(2).normal(size=(1, 2, 3, 4)).astype(np.float32)
    for target in (24, 25):
        # Another kernel, and the function body: sums of 4 and of 3 terms in another order, and two roundings
        # of the exponential, each at most half an ULP of numbers up to 2.
        (got,) = run(convert_version(model, target), q=q)
        np.testing.assert_allclose(
            got, run(model, q=q)[0], rtol=0, atol=(4 + 3 + 2) * np.spacing(np.float32(2))
        )


def test_an_order_that_is_free_becomes_the_one_there_is():
    model = parsed(13, TOPK_INPUT, "v, i = TopK <sorted = 0> (x, k)")
    values, _ = run(convert_version(model, 10), x=X)
    np.testing.assert_array_equal(values, -np.sort(-X)[..., :2])
    np.testing.assert_array_equal(np.sort(run(model, x=X)[0]), np.sort(values))


ONE = "(float[2,3] x) => (float[2,3] v)"
REFUSED = [
    (21, 9, TOPK_INPUT, "v, i = TopK <largest = 0> (x, k)", "largest=0"),
    (13, 9, "(float[4] x, int64[1] k) => (float[N] v, int64[N] i)", "v, i = TopK (x, k)", "'k' has to be"),
    (18, 17, "(float[4] x, int64[1] a) => (float[1] v)", "v = ReduceLogSumExp (x, a)", "'a' has to be"),
    (27, 28, "(int32[4] x) => (int32[1] v)", "v = ReduceLogSumExp (x)", r"no tensor\(int32\)"),
    (12, 11, "(float[4] x) => (int64[1] v)", "v = ArgMax <select_last_index = 1> (x)", "select_last_index"),
    (
        12,
        11,
        "(float[2,3] x, int64[2] l) => (float v)",
        "v = SoftmaxCrossEntropyLoss (x, l)",
        "new in opset 12",
    ),
    (
        13,
        11,
        "(float[2,3] x, int64[2] l) => (float v)",
        "v = NegativeLogLikelihoodLoss (x, l)",
        "new in opset 12",
    ),
    (23, 22, "(float[1,2,3,4] q) => (float[1,2,3,4] v)", "v = Attention (q, q, q)", "new in opset 23"),
    (
        25,
        24,
        "(float[1,2,3,4] q) => (float[1,2,3,4] v)",
        "v = Attention <left_window_size = 1> (q, q, q)",
        "window",
    ),
    (22, 21, "(bfloat16[2,3] x) => (bfloat16[2,3] v)", "v = Softplus (x)", r"no tensor\(bfloat16\)"),
    (13, 12, "(bfloat16[2,3] x) => (bfloat16[2,3] v)", "v = Sigmoid (x)", r"no tensor\(bfloat16\)"),
    (
        24,
        23,
        "(bfloat16[4] x) => (bfloat16[2] v, int64[2] i) <int64[1] k = {2}>",
        "v, i = TopK (x, k)",
        r"no tensor\(bfloat16\)",
    ),
    (7, 6, "(float[2,3] x) => (int32[2,1] v)", "v = Multinomial (x)", "new in opset 7"),
    (
        7,
        6,
        "(float[2,3,4] x, float[4] s) => (float[2,3,4] v)",
        "v = PRelu (x, s)",
        "not one for each channel",
    ),
    (7, 6, "(float[N,C,L] x, float[C,1] s) => (float[N,C,L] v)", "v = PRelu (x, s)", "shape of its slopes"),
    (14, 13, ONE, "v = Trilu (x)", "new in opset 14"),
    (18, 17, "(float[2,3] x) => (bool v)", 'v = OptionalHasElement ("")', "got OptionalHasElement: "),
    (19, 18, "(float[2,3] x, int64[4] p) => (float[N,M] v)", 'v = Pad <mode = "wrap"> (x, p)', "wrap"),
]


@pytest.mark.parametrize(("source", "target", "signature", "body", "reason"), REFUSED)
def test_refused(source, target, signature, body, reason):
    model = parsed(source, signature, body, ir=11)
    before = model.SerializeToString(deterministic=True)
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        convert_version(model, target)
    assert "\n" not in str(caught.value)
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("target", [0, -1, 99, onnx.defs.onnx_opset_version() + 1])
def test_no_such_target(target):
    with pytest.raises(UnknownOpsetError, match=r"expected an opset of ai\.onnx from 1 to"):
        convert_version(parsed(13, ONE, "v = Sigmoid (x)"), target)


@pytest.mark.parametrize("target", [12.0, "12", None, True])
def test_target_is_an_integer(target):
    with pytest.raises(TypeError, match="integer"):
        convert_version(parsed(13, ONE, "v = Sigmoid (x)"), target)


@pytest.mark.parametrize(
    ("signature", "body"),
    [(ONE, "v = Nonsense (x)"), (ONE, "v = Sigmoid (w) w = Sigmoid (v)"), (ONE, "v = Sigmoid (nowhere)")],
)
def test_models_that_are_none(signature, body):
    with pytest.raises(ModelError, match=r"expected a valid model \(onnx.checker"):
        convert_version(parsed(13, signature, body), 12)
