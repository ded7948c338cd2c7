"""A verdict is never wrong: wrong rests on what is verified, and everything else is said to be what it is."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper
from parsing import parsed
from planted import Rounded

from softops.conformance import ModelNotRunError, compare_runtimes, validate
from softops.conformance.steps import ground
from softops.conformance.steps.runs import MadeBytes
from softops.opset.backend import prepare
from softops.opset.implementations.table import IMPLEMENTATIONS
from softops.opset.nodes.node import Operation


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Other:
    """Our backend, or another runtime, with some operators computed as others are."""

    version = "1"

    def __init__(self, runtime=None, name="other", **operators):
        self.name, self._runtime, self._operators = name, runtime, operators

    def run(self, model, feeds):
        changed = onnx.load_from_string(model)
        for node in changed.graph.node:
            node.op_type = self._operators.get(node.op_type, node.op_type)
        if self._runtime is not None:
            return self._runtime.run(changed.SerializeToString(), feeds)
        return prepare(changed, check=False).run(dict(feeds))


HEAD = '<ir_version: 8, opset_import: ["" : 17]>'


@pytest.fixture
def unverified(monkeypatch):
    """The sine is left to onnx's reference implementations, as what nobody here has verified is."""
    monkeypatch.delitem(IMPLEMENTATIONS, ("", "Sin"))


def test_what_differs_from_onnx_reference_alone_cannot_be_told(unverified):
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ a = Sin(x) p = Softmax(a) }}")
    assert validate(model, "softops", batch=8).verdict == "right"
    report = validate(model, Other(Sin="Cos"), batch=8)
    assert (report.verdict, report.passed, report.failures) == ("cannot tell", False, [])
    said = "other differs from onnx.reference at Sin that gives 'a', which is not verified"
    assert said in report.unsettled[0]
    # What follows is judged on the runtime's own values.
    wrong = validate(model, Other(Sin="Cos", Softmax="LogSoftmax"), batch=8)
    assert (wrong.verdict, wrong.departure.tensor) == ("wrong", "p")


def test_between_two_nodes_the_one_that_is_not_verified_is_told_from_the_one_that_is(unverified):
    text = "net (float[N,4] x) => (float[N,4] p) { a = Sin(x) b = Tanh(a) p = Softmax(b) }"
    model = parsed(f"{HEAD} {text}")
    assert validate(model, Other(Sin="Cos"), batch=8).verdict == "cannot tell"
    report = validate(model, Other(Tanh="Cos"), batch=8)
    assert report.verdict == "wrong"
    assert report.failures[0].startswith("b[")


def test_another_shape_than_that_of_onnx_reference_cannot_be_told(unverified):
    class Flat(Other):
        def run(self, model, feeds):
            return [x.reshape(-1) for x in super().run(model, feeds)]

    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] a) {{ a = Sin(x) }}")
    report = validate(model, Flat(), batch=8)
    assert report.verdict == "cannot tell"
    assert "expected shape [8, 4] (got [32])" in report.unsettled[0]
    certain = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] a) {{ a = Tanh(x) }}")
    assert validate(certain, Flat(), batch=8).verdict == "wrong"


def test_what_differs_from_an_implementation_of_ours_is_wrong():
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ a = Sin(x) p = Softmax(a) }}")
    report = validate(model, Other(Sin="Cos"), batch=8)
    assert (report.verdict, report.unsettled) == ("wrong", [])
    assert report.failures[0].startswith("a[")


CHAOS = f"""{HEAD}
    net (float[N,64] x) => (float[N,8] p) {{
        a = MatMul(x, w) b = Mul(a, large) c = Sin(b) d = Mul(c, large) e = Cos(d) f = MatMul(e, v) p = Softmax(f)
    }}"""


def chaos():
    # A millionfold last bit of a matrix product is another number: no two orders of summation agree.
    return parsed(CHAOS, w=normal(64, 16), large=np.float32(1e6), v=normal(16, 8, seed=1))


def test_roundings_that_add_up_over_nodes_are_not_wrong():
    report = validate(chaos(), batch=16)
    assert report.verdict == "right", (report.failures, report.unsettled)
    assert {step.tensor: step.rule for step in report.steps}["f"].endswith("node by node")
    assert report.outputs["p"].max_rel > 0.01


def test_the_node_among_several_that_is_wrong_is_named():
    report = validate(chaos(), Other(Cos="Tanh"), batch=16)
    assert report.verdict == "wrong"
    (failure,) = report.failures
    assert failure.startswith("e[")
    assert "Cos gave" in failure


def test_a_node_between_values_of_no_known_rank_is_named():
    model = parsed(f"""{HEAD} net (float[N,4] x, int64[K] form) => (float[N,4] p) {{
        a = Reshape(x, form) b = Sin(a) c = Tanh(b) whole = Shape(x) d = Reshape(c, whole) p = Softmax(d)
    }}""")
    report = validate(model, Other(Sin="Cos"), inputs={"x": normal(8, 4), "form": np.array([2, 4, 4])})
    assert report.verdict == "wrong"
    (failure,) = report.failures
    assert failure.startswith("b[")
    assert "Sin gave" in failure


def test_known_deviations_are_named_and_pass():
    model = parsed(f"{HEAD} net (float[N,64] x) => (float[N,64] y) {{ s = Sigmoid(x) y = Mul(x, s) }}")
    x = np.linspace(-30, 30, 64 * 64, dtype=np.float32).reshape(64, 64)
    report = validate(model, inputs=x)
    assert (report.verdict, report.passed, report.failures) == ("right but for known deviations", True, [])
    (deviation,) = report.known
    assert deviation.startswith("Sigmoid-13 that gives s: ")
    assert "microsoft/onnxruntime/issues/22557" in deviation
    # It is of that runtime alone, and no larger than it is known to be.
    assert validate(model, "softops", inputs=x).known == []
    half = parsed(f"{HEAD} net (float[N,64] x) => (float[N,64] y) {{ s = Sigmoid(x) y = Mul(x, s) }}")
    assert validate(half, Other(name="onnxruntime", Sigmoid="HardSigmoid"), inputs=x).verdict == "wrong"


@pytest.mark.parametrize(("number", "verdict"), [(np.nan, "right but for known deviations"), (9, "wrong")])
def test_some_deviations_are_known_of_an_input_with_a_nan_alone(number, verdict):
    class First(Other):
        """It gives the first number of each row its 1, which onnxruntime is known to do where that is a NaN."""

        def run(self, model, feeds):
            x = feeds["x"]
            return [(np.arange(x.shape[1]) == 0).astype(x.dtype) * np.ones_like(x)]

    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] h) {{ h = Hardmax(x) }}")
    x = normal(1, 4)
    x[0, 2] = number
    report = validate(model, First(name="onnxruntime"), inputs=x)
    assert report.verdict == verdict
    assert validate(model, First(), inputs=x).verdict == "wrong"  # of no other runtime


def test_hardmax_of_a_nan_is_known_of_onnxruntime():
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] h) {{ h = Hardmax(x) }}")
    report = validate(model, "onnxruntime", inputs=np.float32([[1, np.nan, 3, 2]]))
    assert report.verdict in ("right but for known deviations", "right"), report.failures


def test_a_wrong_label_is_none_of_the_known_deviations_of_probabilities():
    class Flips(Other):
        """Its labels are others."""

        def run(self, model, feeds):
            prepared = prepare(onnx.load_from_string(model), check=False)
            outputs = zip(prepared.output_names, prepared.run(dict(feeds)), strict=True)
            return [1 - x if name == "label" else x for name, x in outputs]

    model = parsed("""<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]>
        net (float[N,2] x) => (int64[N] label, float[N,2] p) {
            label, p = ai.onnx.ml.LinearClassifier<coefficients = [1.0, 2.0, 2.0, 1.0], intercepts = [0.0, 0.0],
                classlabels_ints = [0, 1], post_transform = "LOGISTIC">(x)
        }""")
    report = validate(model, Flips(name="onnxruntime"), batch=8)
    assert (report.verdict, report.known) == ("wrong", [])


def test_a_runtime_of_another_precision_is_said_to_be_one():
    """It is judged by what float32 promises, and the cause and the cure are told, with what the cure is worth."""
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ p = Softmax(x) }}")
    report = validate(model, Rounded(), batch=4)
    assert report.verdict == "wrong"
    assert report.heading == "rounded 1 on CPU, computed in bfloat16"
    assert report.notes[0] == (
        "rounded ran in bfloat16, its default on this processor; rounded:precision=f32 asks for float32, "
        "in which it is right"
    )
    full = validate(model, Rounded("f32"), batch=4)
    assert (full.verdict, full.heading) == ("right", "rounded 1 on CPU, computed in float32")
    assert not any("precision" in note for note in full.notes)


def test_a_fault_in_another_precision_is_told_from_the_precision():
    """A tenth of what a softmax gives is lost, whatever it is computed in: float32 is no cure."""
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ p = Softmax(x) }}")
    report = validate(model, Rounded(Softmax=lambda y: y * np.float32(0.9)), batch=4)
    assert report.verdict == "wrong"
    assert "asks for float32, in which it is wrong" in report.notes[0]


def test_what_is_right_in_another_precision_is_right_and_says_so():
    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] y) {{ y = Neg(x) }}")
    report = validate(model, Rounded(), np.arange(8, dtype=np.float32).reshape(2, 4))
    assert (report.verdict, report.heading) == ("right", "rounded 1 on CPU, computed in bfloat16")
    assert report.notes[0].endswith("rounded:precision=f32 asks for float32")


QUANTISED = """<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,8] x) => (float[N,8] p) {
        q = QuantizeLinear(x, scale, zero) d = DequantizeLinear(q, scale, zero) p = Softmax(d)
    }"""


@pytest.mark.parametrize(("off", "verdict"), [(0, "right"), (1, "wrong"), (2, "wrong")])
def test_a_step_is_allowed_beside_a_tie_alone(off, verdict):
    class Off(Other):
        """Its first number is quantised some steps too high."""

        def run(self, model, feeds):
            x = feeds["x"].copy()
            x[0, 0] += off * np.float32(0.499)
            return super().run(model, {**feeds, "x": x})

    model = parsed(QUANTISED, scale=np.float32(0.5), zero=np.uint8(128))
    x = normal(4, 8)
    for value, right in ((0.1, verdict), (0.25, "right" if off < 2 else "wrong")):
        x[0, 0] = value  # 0.2 steps, and half a step: a tie
        assert validate(model, Off(), inputs=x).verdict == right


def test_a_quantised_network_in_which_one_tie_would_spread():
    text, arrays, last = [], {"sc": np.float32(0.008), "z": np.uint8(128)}, "x"
    for k in range(6):
        text.append(f"q{k} = QuantizeLinear({last}, sc, z) d{k} = DequantizeLinear(q{k}, sc, z)")
        text.append(f"h{k} = MatMul(d{k}, w{k}) m{k} = Tanh(h{k})")
        arrays[f"w{k}"], last = normal(64, 64, seed=k) * np.float32(0.3), f"m{k}"
    body = " ".join(text)
    model = parsed(
        f"{HEAD} net (float[N,64] x) => (float[N,64] y) {{ {body} y = Softmax({last}) }}", **arrays
    )
    report = validate(model, inputs=normal(512, 64, seed=99))
    assert report.verdict == "right", (report.failures, report.unsettled)
    assert {step.tensor: step.rule for step in report.steps}["q5"] == "quantised"


class Shaken(Other):
    """Gives other bits when it is asked for nothing but the outputs: its inputs are off by so much of themselves."""

    by = 0.0

    def run(self, model, feeds):
        whole = len(onnx.load_from_string(model).graph.output) == 1
        return super().run(model, {"x": feeds["x"] * np.float32(1 + self.by)} if whole else feeds)


@pytest.mark.parametrize(("by", "verdict"), [(3e-7, "right"), (0.05, "wrong")])
def test_ties_that_fall_the_other_way_in_a_whole_run_are_no_fault(by, verdict):
    text, last = "", "x"
    for k in range(4):
        text += (
            f"s{k} = Tanh({last}) q{k} = QuantizeLinear(s{k}, sc, z) d{k} = DequantizeLinear(q{k}, sc, z) "
        )
        text, last = text + f"h{k} = MatMul(d{k}, w{k}) ", f"h{k}"
    arrays = {f"w{k}": normal(32, 32, seed=k) * np.float32(0.2) for k in range(4)}
    arrays |= {"sc": np.float32(0.008), "z": np.uint8(128)}
    model = parsed(f"{HEAD} net (float[N,32] x) => (float[N,32] y) {{ {text} y = Neg(h3) }}", **arrays)
    runtime = Shaken()
    runtime.by = by
    x = normal(50, 32, seed=9)
    x[:, 0] = np.arctanh(10.5 * 0.008) * (1 - 1e-7)  # just below a tie
    report = validate(model, runtime, inputs=x)
    assert report.verdict == verdict, (report.failures, report.unsettled)
    assert {step.rule for step in report.steps if step.tensor == "y"} == {"noise", "end to end"}


def test_dynamic_quantisation():
    model = parsed(f"""{HEAD} net (float[N,8] x) => (float[N,8] p) {{
        q, s, z = DynamicQuantizeLinear(x) d = DequantizeLinear(q, s, z) p = Softmax(d) }}""")
    assert validate(model, batch=16).verdict == "right"


FOREIGN = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    net (float[N,6] x) => (float[N,6] p) {
        a = Softmax(x) b = com.microsoft.QuickGelu(a) p = Softmax(b)
    }"""


def test_around_an_operator_that_nobody_computes_everything_else_is_judged():
    found = compare_runtimes(parsed(FOREIGN), ["onnxruntime"], batch=8)
    (report,) = found.reports
    assert (report.verdict, found.not_run) == ("cannot tell", {})
    assert {step.tensor: step.verdict for step in report.steps} == {"a": "right", "p": "right"}
    assert report.unsettled == [
        "com.microsoft.QuickGelu is not judged: nothing here computes it; the rest is, on what onnxruntime makes of it"
    ]


@pytest.mark.parametrize("tensor", ["a", "p"])
def test_a_softmax_around_such_an_operator_that_is_wrong_is_called_wrong(tensor):
    from softops.conformance.runtimes.onnxruntime import OnnxRuntime

    class Doubling(OnnxRuntime):
        """onnxruntime, with one tensor doubled wherever it is given out."""

        def load(self, model):
            names = [value.name for value in onnx.load_from_string(model).graph.output]
            right = super().load(model)
            return lambda feeds: [
                2 * x if n == tensor else x for n, x in zip(names, right(feeds), strict=True)
            ]

    report = validate(parsed(FOREIGN), Doubling(), batch=8)
    assert (report.verdict, report.departure.tensor) == ("wrong", tensor)


def test_an_implementation_that_stumbles_is_cut_out_too(monkeypatch):
    def stumbles(node):
        def run(x):
            raise RuntimeError(node.label)

        return Operation(run)

    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ a = Sin(x) p = Softmax(a) }}")
    # In our backend alone, and as one that is not verified.
    monkeypatch.setitem(IMPLEMENTATIONS, ("", "Sin"), stumbles)
    monkeypatch.setattr(ground, "is_verified", lambda node, *_: node.op_type != "Sin")
    report = validate(model, "onnxruntime", inputs=normal(3, 4))
    assert report.verdict == "cannot tell"
    assert report.unsettled[0].startswith("ai.onnx.Sin is not judged")
    assert {step.tensor: step.verdict for step in report.steps}["p"] == "right"


def test_nobody_computes_it_and_the_runtime_does_not_either():
    model = parsed(FOREIGN.replace("QuickGelu", "Zork"))
    with pytest.raises(ModelNotRunError, match="Zork"):
        validate(model, batch=8)


def test_outputs_that_do_not_depend_on_the_input_are_said_so():
    model = parsed(
        f"{HEAD} net (float[1,4] x) => (float[1,3] p, int64[1] label) {{"
        "a = MatMul(x, w) p = Softmax(a) label = ArgMax<axis = 1, keepdims = 0>(p) }",
        w=np.zeros((4, 3), np.float32),
    )
    report = validate(model)
    assert report.passed
    first, second = report.caveats
    assert "p does not depend on the input" in first
    assert "label does not depend on the input" in second
    assert all("--inputs" in caveat and "--family" in caveat for caveat in report.caveats)
    alive = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ p = Softmax(x) }}")
    assert validate(alive, batch=4).caveats == []


@pytest.mark.parametrize("otherwise", [lambda: [], lambda: [np.array([["a"]])], lambda: 1 / 0])
def test_a_runtime_that_runs_one_input_alone_is_judged_by_it(otherwise):
    x = normal(4, 4)

    class Once(Other):
        def run(self, model, feeds):
            given = feeds.get("x")
            return super().run(model, feeds) if given is None or np.array_equal(given, x) else otherwise()

    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ p = Softmax(x) }}")
    report = validate(model, Once(), inputs=x)
    assert (report.verdict, report.caveats) == ("right", [])


def test_a_label_that_is_always_0_and_an_axis_of_length_1_are_said_so():
    model = parsed(
        f"{HEAD} net (float[N,1] x) => (float[N,1] p, int64[N] label) {{"
        "p = Softmax(x) label = ArgMax<axis = 1, keepdims = 0>(p) }"
    )
    said = validate(model, batch=4).caveats
    assert any("works along axis 1 of length 1" in caveat for caveat in said)
    assert any("the output label is always 0" in caveat for caveat in said)


def test_a_dimension_of_minus_one_is_open():
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Softmax", ["x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", 1, [-1, 3])],
            [helper.make_tensor_value_info("y", 1, [-1, 3])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    assert validate(model, batch=5).inputs["x"] == ("float32", (5, 3))
    assert validate(model, inputs={"x": normal(2, 3)}).passed
    with pytest.raises(ValueError, match=r"shape \[\?, 3\]"):
        validate(model, inputs={"x": normal(2, 4)})


def test_sums_near_zero_of_a_convolution_are_not_wrong():
    # Rows of length 1, each the sum of 3,000 terms: what is left near 0 is another number in any other order.
    model = parsed(
        f"{HEAD} net (float[N,300,10,1] x) => (float[N,8,1,1] c, float[N,8,1,1] p) {{"
        "c = Conv(x, w) p = Softmax<axis = 1>(c) }",
        w=100 * normal(8, 300, 10, 1),
    )
    report = validate(model, inputs=100 * normal(200, 300, 10, 1, seed=1))
    assert report.verdict == "right", (report.failures, report.unsettled)

    class Off(Other):
        def run(self, model, feeds):
            names = [value.name for value in onnx.load_from_string(model).graph.output]
            return [
                1.01 * x if name == "c" else x
                for name, x in zip(names, super().run(model, feeds), strict=True)
            ]

    assert validate(model, Off(), inputs=100 * normal(2, 300, 10, 1)).verdict == "wrong"


def test_of_equal_numbers_argmax_has_to_take_the_first():
    class Last(Other):
        def run(self, model, feeds):
            prepared = prepare(model, check=False)
            values = dict(zip(prepared.output_names, prepared.run(dict(feeds)), strict=True))
            values["label"] = values["label"] + 1  # both places have the largest number
            return [values[name] for name in prepared.output_names]

    model = parsed(
        f"{HEAD} net (float[N,4] x) => (int64[N,1] label) {{ a = Relu(x) label = ArgMax<axis = 1>(a) }}"
    )
    report = validate(model, Last(), inputs=np.float32([[-1, 2, 2, 0]]))
    assert report.verdict == "wrong"
    assert report.failures[0].startswith("label[")


def test_a_label_of_trees_that_tie_is_not_wrong():
    # Ten trees vote 0.1 each for a class of their own side: five to five, which the order of the sums decides.
    trees = 10
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_int64s=[0, 1, 2],
        post_transform="NONE",
        nodes_treeids=[t for t in range(trees) for _ in range(3)],
        nodes_nodeids=[0, 1, 2] * trees,
        nodes_featureids=[t if k == 0 else 0 for t in range(trees) for k in range(3)],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * trees,
        nodes_values=[0.0] * 3 * trees,
        nodes_truenodeids=[1, 0, 0] * trees,
        nodes_falsenodeids=[2, 0, 0] * trees,
        nodes_hitrates=[1.0] * 3 * trees,
        nodes_missing_value_tracks_true=[0] * 3 * trees,
        class_treeids=[t for t in range(trees) for _ in range(2)],
        class_nodeids=[1, 2] * trees,
        class_ids=[0, 1] * trees,
        class_weights=[0.1, 0.1] * trees,
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value("x", 1, ["N", trees])], [value("label", 7, ["N"]), value("scores", 1, ["N", 3])]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    report = validate(model, inputs=normal(400, trees))
    assert report.verdict == "right", report.failures


def test_without_its_rewriting_a_runtime_is_asked_again():
    class Rewriting(Other):
        settings = ("level=disabled",)

        def configured(self, setting):
            assert setting == "level=disabled"
            return Other()

    model = parsed(f"{HEAD} net (float[N,4] x) => (float[N,4] p) {{ a = Sin(x) p = Softmax(a) }}")
    report = validate(model, Rewriting(Sin="Cos"), batch=8)
    assert report.verdict == "wrong"
    assert "without the runtime's rewriting of the graph (level=disabled) it is right" in report.notes


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("within", ["float32", "half"])
def test_halves_are_summed_in_float32(dtype, within):
    """Near 0 a sum in float32 is as good as any; one that is rounded after each term is none that runtimes make."""

    class InTurn(Other):
        """Adds up one term after the other."""

        def run(self, model, feeds):
            inside = half if within == "half" else np.float32
            x, w = feeds["x"].astype(inside), weight.astype(inside)
            total = np.zeros((300, 2), inside)
            for k in range(60):
                total = (total + (x[:, k] * w[:, k, 0]).astype(inside)).astype(inside)
            return [total.astype(half)[..., None]]

    half = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16
    weight = normal(2, 60, 1).astype(half)
    text = f"net ({dtype}[N,60,1] x) => ({dtype}[N,2,1] c) {{ c = Conv(x, w) }}"
    model = parsed(f'<ir_version: 10, opset_import: ["" : 22]> {text}', w=weight)
    report = validate(model, InTurn(), inputs=normal(300, 60, 1, seed=1).astype(half))
    assert report.verdict == ("wrong" if within == "half" else "right"), (report.failures, report.unsettled)


def test_bytes_that_nodes_make_are_counted():
    made = MadeBytes(None)
    assert made.per_node == 0
    for done, count in enumerate((100, 0, 350), 1):
        made(done, 3, count)
    assert (made.count, made.per_node) == (450, 150)
