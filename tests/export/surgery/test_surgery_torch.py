"""Surgery on models that PyTorch exports, in onnxruntime beside the module."""

import io
import warnings

import numpy as np
import onnx
import pytest

from softops.export import append_head, decompose, fuse, replace_activation, strip_head

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'softops[torch]'")
nn = torch.nn


class Ends(nn.Module):
    """A small image model, and what stands at its end."""

    def __init__(self, end):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.last = nn.Linear(4, 5)
        self.end = end

    def forward(self, images):
        return self.end(self.last(self.body(images)))


def spelled(x):
    e = torch.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


ENDS = {
    "logits": (lambda x: x, None),
    "softmax": (lambda x: torch.softmax(x, 1), None),
    "log_softmax": (lambda x: torch.log_softmax(x, 1), None),
    "softmax spelled out": (spelled, "Softmax"),
    "exp over its sum": (lambda x: torch.exp(x) / torch.exp(x).sum(1, keepdim=True), "Softmax"),
    "minus log-sum-exp": (lambda x: x - torch.logsumexp(x, 1, keepdim=True), "LogSoftmax"),
    "sigmoid spelled out": (lambda x: 1 / (1 + torch.exp(-x)), "Sigmoid"),
    "softplus spelled out": (lambda x: torch.log(1 + torch.exp(x)), "Softplus"),
}


@pytest.fixture(params=[11, 13, 17])
def exported(request):
    """The module, its model at an opset, and images."""

    def export(name):
        torch.manual_seed(5)
        module, images = Ends(ENDS[name][0]).eval(), torch.randn(2, 3, 8, 8)
        file = io.BytesIO()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of an exporter that will go
            torch.onnx.export(
                module,
                (images,),
                file,
                opset_version=request.param,
                dynamo=False,
                input_names=["images"],
                output_names=["out"],
                dynamic_axes={"images": {0: "batch"}, "out": {0: "batch"}},
            )
            logits = module.last(module.body(images)).numpy()
            return onnx.load_from_string(file.getvalue()), images.numpy(), module(images).numpy(), logits

    return export


def close(actual, wanted):
    """Another order of sums of 27 and of 4 products; convolutions of another library."""
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENDS)
def test_fusing_finds_what_is_spelled_out_and_decomposing_spells_it_out_again(
    exported, run_onnxruntime, name
):
    model, images, out, _ = exported(name)
    fused = fuse(model)
    close(run_onnxruntime(fused, {"images": images})["out"], out)
    op = ENDS[name][1]
    if op is None:
        assert fused.graph.node == model.graph.node
        return
    assert fused.graph.node[-1].op_type == op
    simple = decompose(fused, op)
    assert op not in {node.op_type for node in simple.graph.node}
    close(run_onnxruntime(simple, {"images": images})["out"], out)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_head_comes_off_and_is_exchanged(exported, run_onnxruntime, name):
    model, images, _, logits = exported(name)
    stripped = strip_head(model, name="logits")
    close(run_onnxruntime(stripped, {"images": images})["logits"], logits)
    hard = run_onnxruntime(replace_activation(model, "hardmax"), {"images": images})["out"]
    np.testing.assert_array_equal(hard, np.eye(5, dtype=np.float32)[logits.argmax(1)])


def test_labels_and_probabilities_are_appended(exported, run_onnxruntime, same_bits):
    model, images, _, logits = exported("logits")
    labels = ["ant", "bee", "cat", "dög", "elk"]
    before = run_onnxruntime(model, {"images": images})
    after = run_onnxruntime(append_head(model, labels=labels, top_k=5), {"images": images})
    same_bits({"out": after["out"]}, before)
    close(after["probabilities"], torch.softmax(torch.tensor(logits), 1).numpy())
    best = np.argsort(-logits, 1)
    assert after["top_k_labels"].tolist() == np.array(labels)[best].tolist()
    assert after["label"].tolist() == np.array(labels)[best[:, 0]].tolist()
