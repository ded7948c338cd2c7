"""PyTorch modules against their own softmax, on the digits of scikit-learn."""

import copy
import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import append_head, classifier_head, from_torch, lm_head, sparsemax_head
from softops.opset.backend import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'softops[torch]'")
datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
nn = torch.nn

OPSETS = [9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
PIXELS = datasets.load_digits().data[:60] / 16

NETS = {
    "linear": lambda: nn.Linear(64, 10),
    "without bias": lambda: nn.Sequential(nn.Linear(64, 10, bias=False)),
    "relu": lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "gelu": lambda: nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 10)),
    "gelu tanh": lambda: nn.Sequential(
        nn.Linear(64, 32), nn.GELU("tanh"), nn.Dropout(0.5), nn.Linear(32, 10)
    ),
    "layer norm": lambda: nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)),
    "plain layer norm": lambda: nn.Sequential(
        nn.LayerNorm(64, eps=1e-3, elementwise_affine=False), nn.Linear(64, 10)
    ),
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "plain batch norm": lambda: nn.Sequential(
        nn.Linear(64, 8), nn.BatchNorm1d(8, affine=False), nn.Linear(8, 10)
    ),
    "nested": lambda: nn.Sequential(
        nn.Sequential(nn.Linear(64, 16), nn.Identity(), nn.Sequential(nn.ReLU())),
        nn.Sequential(nn.Linear(16, 10)),
    ),
}


def trained(name, dtype="float32"):
    """A net after two steps of training, still in training mode, and its input."""
    torch.manual_seed(3)
    net, x = NETS[name](), torch.tensor(PIXELS, dtype=torch.float32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for rows in (slice(0, 40), slice(20, 60)):
        loss = nn.functional.cross_entropy(net.train()(x[rows]), torch.arange(40) % 10)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.to(getattr(torch, dtype)), x.to(getattr(torch, dtype))


def expected(net, x):
    """What the net says in evaluation mode, in float64."""
    with torch.no_grad():
        logits = copy.deepcopy(net).double().eval()(x.double())
    return logits.argmax(1).numpy(), torch.softmax(logits, 1).numpy()


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"features": x})


def in_softops(model, x):
    return prepare(model).run({"features": x})


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", list(NETS))
def test_label_and_probabilities_are_those_of_torch_at_every_opset(run, dtype, name):
    if (run, dtype, name) == (in_onnxruntime, "float64", "gelu"):
        pytest.skip("onnxruntime has a CPU kernel of Erf for float32 only")
    if (run, dtype) == (in_onnxruntime, "bfloat16"):
        pytest.skip("onnxruntime takes no NumPy arrays of bfloat16: see test_bfloat16.py")
    net, x = trained(name, dtype)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    labels, exact = expected(net, x)
    # 64 products of size 1 at most and a short net after them, in float32 (float64); then one rounding to the dtype.
    work = {"float64": 1e-14}.get(dtype, 2e-6)
    half = 0 if kind.itemsize > 2 else float(ml_dtypes.finfo(kind).eps) / 2
    for opset in OPSETS:
        if dtype == "bfloat16" and opset < 13:
            continue
        label, probabilities = run(from_torch(net, opset=opset), x.double().numpy().astype(kind))
        np.testing.assert_allclose(probabilities.astype(float), exact, rtol=half, atol=work)
        np.testing.assert_array_equal(label, labels)
        assert probabilities.dtype == kind


def test_bfloat16_parameters_stay_bfloat16():
    net, _ = trained("relu", "bfloat16")
    model = from_torch(net)
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.BFLOAT16}


def test_the_options_of_a_head_hold_and_the_module_stays_as_it_is():
    net, x = trained("batch norm")
    before = copy.deepcopy(net.state_dict())
    model = from_torch(
        net,
        activation="log_softmax",
        temperature=2.0,
        labels=list("abcdefghij"),
        outputs=["top_k", "logits"],
        top_k=3,
        dtype="float64",
    )
    values, indices, labels, logits = in_onnxruntime(model, x.double().numpy())
    exact = torch.log_softmax(torch.tensor(logits) / 2, 1)
    best = torch.topk(exact, 3)
    np.testing.assert_allclose(values, best.values, rtol=1e-13)
    np.testing.assert_array_equal(indices, best.indices)
    np.testing.assert_array_equal(labels, np.array(list("abcdefghij"))[indices])
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("opset", OPSETS)
def test_one_logit_stands_for_two_classes(opset):
    torch.manual_seed(1)
    net, x = (
        nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1)),
        torch.tensor(PIXELS, dtype=torch.float32),
    )
    outputs = ["label", "probabilities", "logits"]
    model = from_torch(net, labels=["no", "yes"], temperature=2, outputs=outputs, opset=opset)
    for run in (in_onnxruntime, in_softops):
        label, probabilities, logits = run(model, x.numpy())
        exact = net.double()(x.double()).detach()
        second = torch.sigmoid(exact / 2)
        net.float()
        np.testing.assert_allclose(logits, exact, rtol=0, atol=2e-6)
        np.testing.assert_allclose(probabilities, torch.cat([1 - second, second], 1), rtol=0, atol=1e-6)
        np.testing.assert_array_equal(label, np.where(exact[:, 0] > 0, "yes", "no"))
    with pytest.raises(ValueError, match="leave it out"):
        from_torch(net, activation="log_softmax")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("head", [classifier_head, lm_head, sparsemax_head])
def test_heads_take_parameters_as_they_are(head, dtype):
    layer = nn.Linear(6, 5).to(getattr(torch, dtype))
    plain = {
        name: tensor.detach().double().numpy().astype(getattr(ml_dtypes, dtype, dtype))
        for name, tensor in layer.named_parameters()
    }
    assert head(layer.weight, layer.bias) == head(plain["weight"], plain["bias"])
    turned = nn.Parameter(layer.weight.detach().T.contiguous()).T  # not in the order of its rows
    assert head(turned, layer.bias) == head(plain["weight"], plain["bias"])


class Odd(nn.Linear):
    """A layer whose forward is its own."""


def hooked():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].register_forward_hook(lambda *_: None)
    return net


def with_a_forward_of_its_own():
    net = nn.Linear(3, 2)
    net.forward = lambda x: x
    return net


def with_nan():
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight[1, 1] = torch.nan
    return net


REFUSED = {
    "no module": (TypeError, "torch.nn.Module.*ndarray", lambda: np.eye(3)),
    "softmax at the end": (
        TypeError,
        "Softmax at '1'",
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)),
    ),
    "relu at the end": (
        ValueError,
        "ends in Linear.*ReLU at '1'",
        lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU()),
    ),
    "nothing": (ValueError, "ends in Linear", nn.Sequential),
    "convolution": (TypeError, "Conv1d at '0'", lambda: nn.Sequential(nn.Conv1d(1, 1, 1), nn.Linear(3, 2))),
    "subclass": (TypeError, "Odd", lambda: Odd(3, 2)),
    "hooks": (ValueError, "hooks.*'0'", hooked),
    "a forward of its own": (ValueError, "a forward of their own", with_a_forward_of_its_own),
    "a layer of another module that is called Linear": (
        TypeError,
        r"got torch\.ao\.nn\.qat\.modules\.linear\.Linear",
        lambda: nn.Sequential(
            torch.ao.nn.qat.Linear(3, 2, qconfig=torch.ao.quantization.default_qat_qconfig)
        ),
    ),
    "float8": (TypeError, "weight in float32.*float8", lambda: nn.Linear(3, 2).to(torch.float8_e4m3fn)),
    "widths": (
        ValueError,
        r"takes 4 features at '1' \(got 5\)",
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2)),
    ),
    "no statistics": (
        ValueError,
        "running statistics",
        lambda: nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 2)),
    ),
    "two axes": (
        ValueError,
        r"one axis.*\(2, 3\)",
        lambda: nn.Sequential(nn.LayerNorm((2, 3)), nn.Linear(3, 2)),
    ),
    "dtypes": (
        ValueError,
        "float32, float64",
        lambda: nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2).double()),
    ),
    "NaN": (ValueError, r"weight of finite.*nan at \[1, 1\]", with_nan),
    "no values": (ValueError, "meta", lambda: nn.Linear(3, 2, device="meta")),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_exported_is_named_with_nothing_written(case, tmp_path):
    error, message, make = REFUSED[case]
    with pytest.raises(error, match=message) as raised:
        from_torch(make(), path=tmp_path / "net.onnx")
    assert ";" in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_gelu_needs_erf():
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="opset 9"):
        from_torch(net, opset=8)


def test_torch_is_not_imported_unless_given():
    code = (
        "import sys\nimport softops.export\n"
        "try: softops.export.from_torch([1])\nexcept TypeError as error: print(error)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "expected a torch.nn.Module (got list)" in done.stdout


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_a_network_of_other_layers_goes_on_by_the_lines_that_the_message_names(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs it")
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    with pytest.raises(TypeError, match="Conv2d at '0'") as raised:
        from_torch(module)
    export, append = re.fullmatch(r".*call (torch.*), then (append_head.*)", str(raised.value)).groups()
    monkeypatch.chdir(tmp_path)
    x, names = torch.randn(3, 1, 8, 8), ["a", "b", "c", "d"]
    known = {"torch": torch, "module": module, "x": x, "append_head": append_head, "names": names}
    exec(export, known)
    exec(append, known)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], {"x": x.numpy()[:2]})
    expected = torch.softmax(module(x[:2]), 1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-6)
    assert label.tolist() == [names[at] for at in expected.argmax(1)]
