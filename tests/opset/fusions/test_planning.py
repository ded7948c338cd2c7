"""Fusions in the plan of a model: subgraphs, functions, constants, order, copies, and switched off."""

import numpy as np
import onnx
import pytest
from fusing import both, parsed

from softops.opset import ModelError
from softops.opset.backend import prepare

X = np.random.default_rng(0).standard_normal((2, 3), np.float32)


def steps(model, *inputs, **options):
    seen = []
    prepare(model, **options).run(list(inputs), watch=lambda done, of, made: seen.append(of))
    return seen[-1]


def logged(body="p = Softmax<axis = -1>(x) y = Log(p)", outputs="float[N,A] y"):
    return parsed(body, "float[N,A] x", outputs)


def test_it_can_be_switched_off():
    assert (steps(logged(), X), steps(logged(), X, fuse=True), steps(logged(), X, fuse=False)) == (1, 1, 2)


def test_what_is_asked_for_is_made():
    asked = logged(outputs="float[N,A] y, float[N,A] p")
    one, other = prepare(asked).run([X]), prepare(asked, fuse=False).run([X])
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_what_a_subgraph_reads_is_made():
    branch = "{ z = Identity(p) }"
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> net (float[N,A] x, bool c) => (float[N,A] y, float[N,A] q) '
        "{ p = Softmax<axis = -1>(x) y = Log(p) "
        f"q = If (c) <then_branch = b () => (float[N,A] z) {branch}, else_branch = d () => (float[N,A] z) {branch}> }}"
    )
    y, q = prepare(model).run([X, np.array(True)])
    np.testing.assert_allclose(np.log(q), y, rtol=1e-5)


def test_in_a_subgraph():
    branch = "{ p = Softmax<axis = -1>(x) z = Log(p) }"
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> net (float[N,A] x, bool c) => (float[N,A] q) '
        f"{{ q = If (c) <then_branch = b () => (float[N,A] z) {branch}, "
        f"else_branch = d () => (float[N,A] z) {branch}> }}"
    )
    (fused,), (plain,) = (
        prepare(model, fuse=fuse).run([np.array([[0, -200]], np.float32), np.array(True)])
        for fuse in (True, False)
    )
    assert (fused[0, 1], plain[0, 1]) == (-200, -np.inf)


def test_in_a_function_of_the_model():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[N,A] x) => (float[N,A] y) { y = own.logged <which = -1> (x) }
        <domain: "own", opset_import: ["" : 17]>
        logged <which> (a) => (b) { p = Softmax <axis : int = @which> (a) b = Log(p) }
    """)
    assert (steps(model, X), steps(model, X, fuse=False)) == (1, 2)


def test_axes_that_a_call_passes_are_constants():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18, "own" : 1]>
        net (float[N,A] x) => (float[N,A] y) <int64[1] last = {-1}> { y = own.spelled(x, last) }
        <domain: "own", opset_import: ["" : 18]>
        spelled (a, axes) => (b) {
            m = ReduceMax(a, axes) d = Sub(a, m) e = Exp(d) s = ReduceSum(e, axes) b = Div(e, s)
        }
    """)
    (fused,), (plain,) = (prepare(model, fuse=fuse).run([X]) for fuse in (True, False))
    np.testing.assert_allclose(fused, plain, rtol=1e-6)
    assert (steps(model, X), steps(model, X, fuse=False)) == (1, 5)


def test_nodes_out_of_order_are_refused_as_ever():
    model = logged("y = Log(p) p = Softmax<axis = -1>(x)")
    for fuse in (True, False):
        with pytest.raises(ModelError, match="before"):
            prepare(model, fuse=fuse, check=False)


def test_the_result_is_the_callers_own():
    prepared = prepare(logged())
    (first,) = prepared.run([X])
    kept = first.copy()
    first[:] = 7
    (second,) = prepared.run([X])
    np.testing.assert_array_equal(second, kept)


def test_an_operator_of_another_domain_is_none_of_ours():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[N,A] x) => (float[N,A] y) { p = Softmax<axis = -1>(x) y = own.Log(p) }
        <domain: "own", opset_import: ["" : 17]>
        Log (a) => (b) { b = Neg(a) }
    """)
    np.testing.assert_allclose(prepare(model).run([X])[0].sum(-1), -1, rtol=1e-6)


def test_models_without_fusions_run_as_ever():
    plain = logged("y = Exp(x)")
    (one,), (other,) = both(plain, X)
    np.testing.assert_array_equal(one, other)
