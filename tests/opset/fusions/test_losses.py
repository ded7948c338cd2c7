"""LogSoftmax followed by NegativeLogLikelihoodLoss."""

import numpy as np
import pytest
from fusing import both, found, kinds, parsed

from softops.opset.backend import prepare

X = np.random.default_rng(0).standard_normal((4, 5), np.float32)
LABELS = np.array([0, 4, 2, 2])


def model(body, *, opset=17, outputs="float y", shape="N,C"):
    labels = shape.replace(",C", "")
    return parsed(body, f"float[{shape}] x, int64[{labels}] t, float[C] w", outputs, opset=opset)


@pytest.mark.parametrize("opset", [12, 13, 22])
@pytest.mark.parametrize(
    ("attributes", "weights"),
    [("", ""), ('<reduction = "sum">', ", w"), ("<ignore_index = 2>", ""), ("<ignore_index = 0>", ", w")],
)
def test_is_the_cross_entropy(opset, attributes, weights):
    loss = model(
        f"l = LogSoftmax<axis = 1>(x) y = NegativeLogLikelihoodLoss {attributes} (l, t{weights})", opset=opset
    )
    assert kinds(loss) == ["cross entropy"]
    (fused,), (plain,) = both(loss, X, LABELS, np.arange(1, 6, dtype=np.float32))
    np.testing.assert_array_max_ulp(fused, plain, 4)


def test_of_images():
    loss = model(
        'l = LogSoftmax<axis = 1>(x) y = NegativeLogLikelihoodLoss <reduction = "none"> (l, t)',
        shape="N,C,H",
        outputs="float[N,H] y",
    )
    x = np.random.default_rng(0).standard_normal((2, 5, 3), np.float32)
    (fused,), (plain,) = both(loss, x, np.array([[0, 1, 2], [4, 3, 0]]), np.ones(5, np.float32))
    np.testing.assert_allclose(fused, plain, rtol=1e-6)


def test_the_log_probabilities_are_asked_for():
    loss = model(
        "l = LogSoftmax<axis = 1>(x) y = NegativeLogLikelihoodLoss (l, t)", outputs="float y, float[N,C] l"
    )
    assert found(loss) == ([], [("cross entropy", "'l' inside is also an output")])
    assert len(prepare(loss).run([X, LABELS, np.ones(5, np.float32)])) == 2


def test_along_another_axis():
    """The loss reads classes along axis 1."""
    loss = model("l = LogSoftmax<axis = 0>(x) y = NegativeLogLikelihoodLoss (l, t)")
    (fused,), (plain,) = both(loss, X, LABELS, np.ones(5, np.float32))
    np.testing.assert_array_equal(fused, plain)


def test_a_label_out_of_range_is_refused_in_the_nodes_own_words():
    loss = model("l = LogSoftmax<axis = 1>(x) y = NegativeLogLikelihoodLoss (l, t)")
    inputs = [X, np.array([0, 1, 2, 9]), np.ones(5, np.float32)]
    said = []
    for fuse in (True, False):
        with pytest.raises(ValueError, match="9") as error:
            prepare(loss, fuse=fuse).run(inputs)
        said.append((type(error.value), str(error.value)))
    assert said[0] == said[1]
