"""Heads behind what moves values, in branches and in functions; spelled out, and with labels beside them."""

import numpy as np
import pytest
from scipy import special

from softops.export import append_head, replace_activation, strip_head
from softops.opset import convert_version

FLAT, ONES = "flat = Constant<value = int64[2] {0,-1}>()", "ones = Constant<value = int64[2] {2,3}>()"
CONSTANTS = f"{FLAT} {ONES} one = Constant<value = int64[1] {{1}}>() "
MOVES = {
    "Flatten": ("y = Flatten(p)", "N,5"),
    "Reshape": ("y = Reshape(p, flat)", "N,5"),
    "Squeeze": ("y = Squeeze(p, ones)", "N,5"),
    "Unsqueeze": ("y = Unsqueeze(p, one)", "N,1,5,1,1"),
    "Transpose": ("y = Transpose<perm = [0,2,3,1]>(p)", "N,1,1,5"),
    "Identity": ("y = Identity(p)", "N,5,1,1"),
    "Cast there and back": ("h = Cast<to = 11>(p) y = Cast<to = 1>(h)", "N,5,1,1"),
    "Dropout": ("y = Dropout(p)", "N,5,1,1"),
    "several": ("i = Identity(p) t = Transpose<perm = [0,2,3,1]>(i) f = Flatten(t) y = Dropout(f)", "N,5"),
}
SOFTMAX = {
    "Softmax": "p = Softmax<axis = 1>(l)",
    "spelled out": "e = Exp(l) s = ReduceSum(e, one) p = Div(e, s)",
    "spelled out, its axis put back": (
        "e = Exp(l) s = ReduceSum<keepdims = 0>(e, one) u = Unsqueeze(s, one) p = Div(e, u)"
    ),
    "spelled out, shifted": (
        "m = ReduceMax<axes = [1]>(l) d = Sub(l, m) e = Exp(d) s = ReduceSum(e, one) p = Div(e, s)"
    ),
}
X = np.random.default_rng(0).standard_normal((3, 5, 1, 1)).astype(np.float32)


def ops(model):
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def headed(parsed, softmax, moves, shape, more="", outputs=""):
    text = f"{CONSTANTS}l = Neg(x) {softmax} {moves} {more}"
    return parsed(17, f"g (float[N,5,1,1] x) => (float[{shape}] y{outputs}) {{ {text} }}")


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("softmax", SOFTMAX)
def test_behind_what_moves_values(parsed, run_onnxruntime, softmax, move):
    model = headed(parsed, SOFTMAX[softmax], *MOVES[move])
    stripped = strip_head(model)
    assert ops(stripped) == ["Neg"]
    np.testing.assert_array_equal(run_onnxruntime(stripped, {"x": X})["l"], -X)
    with pytest.raises(ValueError, match="which is a Softmax already"):
        append_head(model, axis=1 if MOVES[move][1] != "N,1,5,1,1" else 2)
    replaced = replace_activation(model, "log_softmax")
    assert "LogSoftmax" in ops(replaced)
    assert not {"Softmax", "Div"} & set(ops(replaced))
    before, after = (run_onnxruntime(m, {"x": X})["y"] for m in (model, replaced))
    np.testing.assert_allclose(after, np.log(before), rtol=1e-3 if "Cast" in move else 1e-5, atol=1e-6)


@pytest.mark.parametrize("softmax", SOFTMAX)
def test_who_else_reads_the_old_activation_goes_on_reading_it(parsed, run_onnxruntime, same_bits, softmax):
    more = "label = ArgMax<axis = 1>(y) w = Neg(p)"
    model = headed(parsed, SOFTMAX[softmax], *MOVES["Flatten"], more, ", int64[N,1] label, float[N,5,1,1] w")
    before, after = (
        run_onnxruntime(m, {"x": X}) for m in (model, replace_activation(model, "hardmax", output="y"))
    )
    np.testing.assert_array_equal(
        after.pop("y"), before.pop("y") == before["w"].reshape(3, 5).min(1, keepdims=True) * -1
    )
    same_bits(after, before)


def test_an_output_inside_the_head_stays(parsed, run_onnxruntime, same_bits):
    model = headed(parsed, SOFTMAX["Softmax"], *MOVES["Flatten"], outputs=", float[N,5,1,1] p")
    replaced = replace_activation(model, "log_softmax", output="y")
    before, after = (run_onnxruntime(m, {"x": X}) for m in (model, replaced))
    np.testing.assert_allclose(after.pop("y"), np.log(before.pop("y")), rtol=1e-5)
    same_bits(after, before)


@pytest.mark.parametrize(("source", "target", "axis"), [(11, 13, 1), (13, 12, 1), (13, 12, 2), (9, 17, 2)])
def test_what_a_conversion_put_around_it_goes_with_it(parsed, source, target, axis):
    text = f"l = Neg(x) y = Softmax<axis = {axis}>(l)"
    model = parsed(source, f"g (float[N,4,5,6] x) => (float[N,4,5,6] y) {{ {text} }}")
    converted = convert_version(model, target)
    assert len(converted.graph.node) > 2
    stripped = strip_head(converted)
    assert ops(stripped) == ["Neg"]
    assert [value.name for value in stripped.graph.output] == ["l"]


def test_a_shape_that_is_put_back_is_known_by_its_name(parsed):
    text = (
        "l = Neg(x) z = Transpose(l) f = Flatten<axis = 2>(l) p = Softmax(f) t = Shape({}) y = Reshape(p, t)"
    )
    for of, logits in (("l", "l"), ("z", "f"), ("a", "f")):
        model = parsed(17, f"g (float[?,?,5] x, float[?,?,5] a) => (float[?,?,5] y) {{ {text.format(of)} }}")
        assert strip_head(model).graph.output[0].name == logits


def test_moves_that_are_not_undone_stay_before_the_logits(parsed):
    text = "f = Transpose<perm = [0,2,1]>(x) p = Softmax(f) y = Transpose<perm = [1,0,2]>(p)"
    stripped = strip_head(parsed(17, f"g (float[2,3,3] x) => (float[3,2,3] y) {{ {text} }}"))
    assert (ops(stripped), stripped.graph.output[0].name) == (["Transpose"], "f")
    text = "f = Flatten(x) p = Softmax(f) t = Transpose<perm = [1,0]>(p) y = Reshape(t, to)"
    model = parsed(17, f"g (float[3,2,2] x) => (float[3,2,2] y) <int64[3] to = {{3,2,2}}> {{ {text} }}")
    assert strip_head(model).graph.output[0].name == "f"


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        # Two lengths may be exchanged where only their product is known to be the same.
        (
            "(float[?,?,5] x, int64[3] u) => (float[?,?,5] y)",
            "l = Neg(x) f = Flatten<axis = 2>(l) p = Softmax(f) y = Reshape(p, u)",
        ),
        (
            "(float[4,5,1] x) => (float[4,5] y)",
            "l = Neg(x) f = Flatten(l) p = Softmax(f) t = Shape<end = 2>(l) y = Reshape(p, t)",
        ),
    ],
)
def test_moves_that_may_be_others_stay_before_the_logits(parsed, signature, text):
    assert strip_head(parsed(17, f"g {signature} {{ {text} }}")).graph.output[0].name == "f"


@pytest.mark.parametrize("text", ["p = Dropout(x, r, t) y = Relu(p)", "q = Softmax(x) y = Dropout(q, r, t)"])
def test_a_dropout_that_drops_is_no_move(parsed, text):
    held = "<float r = {0.5}, bool t = {1}>"
    with pytest.raises(ValueError, match="no head to strip"):
        strip_head(parsed(17, f"g (float[N,5] x) => (float[N,5] y) {held} {{ {text} }}"))


def test_the_logarithm_of_a_sigmoid_that_was_fused(parsed):
    model = parsed(
        17, "g (float[N,5] x) => (float[N,5] y) { l = Relu(x) n = Neg(l) s = Softplus(n) y = Neg(s) }"
    )
    assert ops(strip_head(model)) == ["Relu"]


def test_the_logarithm_of_a_sigmoid_spelled_out(parsed):
    text = "l = Relu(x) n = Neg(l) e = Exp(n) d = Add(one, e) p = Reciprocal(d) y = Log(p)"
    assert ops(
        strip_head(parsed(17, f"g (float[N,5] x) => (float[N,5] y) <float one = {{1}}> {{ {text} }}"))
    ) == ["Relu"]


def test_a_table_that_is_computed_is_none_of_labels(parsed):
    text = "l = Neg(x) t = Relu(v) i = ArgMax<axis = 1, keepdims = 0>(l) y = Gather(t, i)"
    with pytest.raises(ValueError, match="no head to strip"):
        strip_head(parsed(17, f"g (float[N,3] x, float[3] v) => (float[N] y) {{ {text} }}"))


def test_labels_that_a_caller_may_override(parsed):
    text = "l = Neg(x) i = ArgMax<axis = 1, keepdims = 0>(l) y = Gather(t, i)"
    model = parsed(17, f"g (float[N,3] x, int64[3] t = {{5, 6, 7}}) => (int64[N] y) {{ {text} }}")
    assert ops(strip_head(model)) == ["Neg"]


IF = (
    "g (float[N,5] x, bool c) => (float[N,5] y{outputs}) {{ z = Abs(x) {before} "
    "q = If (c) <then_branch = t () => (float[N,5] a) {{ {then} }}, "
    "else_branch = e () => (float[N,5] b) {{ {other} }}> {behind} }}"
)
THEN, OTHER = (
    "l = Neg(x) a = Softmax<axis = 1>(l)",
    "i = Exp(z) j = ReduceSum<keepdims = 1>(i, one) b = Div(i, j)",
)
ONE = "one = Constant<value = int64[1] {1}>()"


def branched(parsed, behind="y = Identity(q)", then=THEN, other=OTHER, outputs=""):
    return parsed(17, IF.format(before=ONE, then=then, other=other, behind=behind, outputs=outputs))


@pytest.mark.parametrize("behind", ["y = Identity(q)", "f = Flatten(q) y = Dropout(f)"])
def test_in_both_branches_of_an_if(parsed, run_onnxruntime, behind):
    x = X.reshape(3, 5)
    model = branched(parsed, behind)
    stripped = strip_head(model)
    (branching,) = (node for node in stripped.graph.node if node.op_type == "If")
    kinds = {node.op_type for attribute in branching.attribute for node in attribute.g.node}
    assert kinds == {"Neg", "Identity"}
    assert len(branching.output) == 1
    with pytest.raises(ValueError, match="which is a Softmax already"):
        append_head(model)
    replaced = replace_activation(model, "log_softmax")
    for chosen, logits in ((True, -x), (False, abs(x))):
        feeds = {"x": x, "c": np.array(chosen)}
        (given,) = run_onnxruntime(stripped, feeds).values()
        np.testing.assert_array_equal(given, logits)
        np.testing.assert_allclose(
            run_onnxruntime(replaced, feeds)["y"], special.log_softmax(logits, axis=1), rtol=1e-5, atol=1e-6
        )


def test_an_if_whose_value_is_read_elsewhere(parsed, run_onnxruntime, same_bits):
    model = branched(parsed, "y = Identity(q) w = Neg(q)", outputs=", float[N,5] w")
    stripped = strip_head(model, "y", name="scores")
    feeds = {"x": X.reshape(3, 5), "c": np.array(True)}
    before, after = run_onnxruntime(model, feeds), run_onnxruntime(stripped, feeds)
    np.testing.assert_array_equal(after.pop("scores"), -feeds["x"])
    same_bits(after, {"w": before["w"]})
    with pytest.raises(ValueError, match=r"in branches .there is w as well"):
        replace_activation(model, "log_softmax", output="y")


def test_an_if_of_which_one_branch_has_no_head(parsed):
    model = branched(parsed, other="b = Neg(z)")
    for refused in (lambda: strip_head(model), lambda: replace_activation(model, "hardmax")):
        with pytest.raises(ValueError, match="head"):
            refused()
    assert ops(append_head(model))[-1] == "Softmax"


def test_branches_whose_logits_do_not_go_together(parsed):
    """Of other ranks: no output could be of both."""
    cube = "cube = Constant<value = float[1,1,1] {2.0}>() zero = Constant<value = int64[1] {0}>()"
    other = f"{cube} v = Mul(z, cube) u = Softmax<axis = 2>(v) b = Squeeze(u, zero)"
    with pytest.raises(ValueError, match="type and rank of the logits"):
        strip_head(branched(parsed, other=other))


FUNCTIONS = (
    '<domain: "own", opset_import: ["" : 17, "own" : 1]> head (v) => (w) { s = own.inner(v) w = Identity(s) } '
    '<domain: "own", opset_import: ["" : 17]> inner (v) => (w) { w = Softmax<axis = 1>(v) } '
    '<domain: "own", opset_import: ["" : 17]> body (v) => (w) { w = Neg(v) }'
)


def test_in_functions_of_the_model(parsed, run_onnxruntime):
    graph = "g (float[N,5] x) => (float[N,5] y) { l = own.body(x) p = own.head(l) y = Identity(p) }"
    model = parsed(17, f"{graph} {FUNCTIONS}", imports=', "own" : 1')
    stripped = strip_head(model)
    assert ops(stripped) == ["body"]
    x = X.reshape(3, 5)
    np.testing.assert_array_equal(run_onnxruntime(stripped, {"x": x})["l"], -x)
    after = run_onnxruntime(replace_activation(model, "log_softmax"), {"x": x})["y"]
    np.testing.assert_allclose(after, special.log_softmax(-x, axis=1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="which is a Softmax already"):
        append_head(model)
    # A function that ends in no head stays a call.
    other = parsed(
        17, f"g (float[N,5] x) => (float[N,5] y) {{ y = own.body(x) }} {FUNCTIONS}", imports=', "own" : 1'
    )
    assert ops(append_head(other)) == ["body", "Softmax"]
