"""A network of scikit-learn, as skl2onnx writes it: MatMul, Add of a row, Relu, and a Softmax."""

import numpy as np
import pytest
from fusing import found

from softops.opset.backend import prepare

skl2onnx = pytest.importorskip("skl2onnx")
neural_network = pytest.importorskip("sklearn.neural_network")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_network():
    random = np.random.default_rng(0)
    x, labels = random.standard_normal((60, 5), np.float32), random.integers(0, 3, 60)
    network = neural_network.MLPClassifier((8,), max_iter=3, random_state=0).fit(x, labels)
    model = skl2onnx.to_onnx(network, x[:1], options={"zipmap": False})
    fused, missed = found(model)
    assert [kind for kind, _ in fused] == ["linear Softmax", "linear"]
    assert missed == []
    _, probabilities = prepare(model).run([x])
    np.testing.assert_allclose(probabilities, network.predict_proba(x), rtol=1e-4, atol=1e-6)
