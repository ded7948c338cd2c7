"""What exporters really write: attention by both of torch's."""

import contextlib
import io
import warnings

import numpy as np
import onnx
import pytest
from fusing import both, kinds

torch = pytest.importorskip("torch")
F = pytest.importorskip("torch.nn.functional")
pytest.importorskip("onnxscript")

Q, K, V = torch.randn(2, 4, 6, 8), torch.randn(2, 2, 6, 8), torch.randn(2, 2, 6, 5)
MASK = torch.randn(2, 1, 6, 6)
KEPT = torch.rand(2, 1, 6, 6) > 0.3
KEPT[..., 0] = True


def repeated(x):
    n, heads, length, size = x.shape
    return x[:, :, None].expand(n, heads, 2, length, size).reshape(n, heads * 2, length, size)


def eager(q, k, v, mask):
    """As transformers writes it."""
    k, v = repeated(k), repeated(v)
    weights = torch.matmul(q, k.transpose(2, 3)) * 0.35 + mask
    return torch.matmul(F.softmax(weights, -1, dtype=torch.float32).to(q.dtype), v)


def causal(q, k, v):
    weights = torch.matmul(q, repeated(k).transpose(-1, -2)) / (q.size(-1) ** 0.5)
    seen = torch.tril(torch.ones(6, 6, dtype=torch.bool))[None, None]
    weights = torch.where(seen, weights, torch.full([], torch.finfo(weights.dtype).min))
    return torch.matmul(F.softmax(weights, -1), repeated(v)).transpose(1, 2).flatten(2)


def by_one_call(q, k, v, kept):
    return F.scaled_dot_product_attention(q, repeated(k), repeated(v), attn_mask=kept)


def with_heads_in_the_batch(q, k, v):
    q, k, v = (t.flatten(0, 1) for t in (q, repeated(k), repeated(v)))
    return torch.bmm(F.softmax(torch.bmm(q, k.transpose(1, 2)) * 0.3, -1), v)


class Module(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *arrays):
        return self.function(*arrays)


def exported(function, inputs, *, newer):
    names = ["q", "k", "v", "mask"][: len(inputs)]
    options = {"dynamic_axes": {name: {0: "n"} for name in names}, "opset_version": 17}
    if newer:
        options = {"dynamic_shapes": (tuple({0: torch.export.Dim("n", min=2)} for _ in inputs),)}
    file = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(Module(function), inputs, file, input_names=names, dynamo=newer, **options)
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("newer", [False, True], ids=["torchscript", "dynamo"])
@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (eager, (Q, K, V, MASK)),
        (by_one_call, (Q, K, V, KEPT)),
        (causal, (Q, K, V)),
        (with_heads_in_the_batch, (Q, K, V)),
    ],
)
def test_attention_by_torch(function, inputs, newer):
    model = exported(function, inputs, newer=newer)
    assert kinds(model) == ["attention"]
    (fused,), (plain,) = both(model, *(x.numpy() for x in inputs))
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused, function(*inputs).numpy(), rtol=1e-5, atol=1e-6)
