"""Small networks as torch's two exporters write them, for `benchmarks.backend`: as BERT, and as a step of GPT."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

WIDTH, HEADS, LAYERS, WORDS = 256, 8, 2, 50257
TOKENS = 128
"""Of a sentence for the one, so far for the other."""

Feeds = dict[str, np.ndarray]


class Attention(nn.Module):
    """Heads of attention; ``by_one_call`` as torch has it, else spelled out."""

    def __init__(self, by_one_call: bool) -> None:
        super().__init__()
        self.by_one_call = by_one_call
        self.of_all, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Any, mask: Any, past: Any) -> Any:
        batch, length, _ = x.shape
        parts = self.of_all(x).split(WIDTH, 2)
        q, k, v = (part.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        if self.by_one_call:
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = torch.matmul(q, k.transpose(-1, -2)) / (WIDTH // HEADS) ** 0.5
            y = torch.matmul(functional.softmax(scores if mask is None else scores + mask, -1), v)
        return self.mixed(y.transpose(1, 2).reshape(batch, length, WIDTH)), k, v


class Layer(nn.Module):
    """Attention and two linear layers around a Gelu, each normalized: behind them as in BERT, before them as in GPT."""

    def __init__(self, by_one_call: bool) -> None:
        super().__init__()
        self.attention = Attention(by_one_call)
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.wider, self.narrower = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Any, mask: Any = None, past: Any = None) -> Any:
        if past is None:
            x = self.first(x + self.attention(x, mask, None)[0])
            return self.second(x + self.narrower(functional.gelu(self.wider(x))))
        y, k, v = self.attention(self.first(x), mask, past)
        x = x + y
        return x + self.narrower(functional.gelu(self.wider(self.second(x)), approximate="tanh")), k, v


class Bert(nn.Module):
    """A sentence with a mask for padding."""

    def __init__(self, by_one_call: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(TOKENS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(Layer(by_one_call) for _ in range(LAYERS))

    def forward(self, ids: Any, mask: Any) -> Any:
        added = (1.0 - mask[:, None, None, :].to(torch.float32)) * -10000.0
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1]))[None])
        for layer in self.layers:
            x = layer(x, added)
        return x


class Gpt(nn.Module):
    """One token after those whose keys and values are given; the scores of the next one."""

    def __init__(self, by_one_call: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(2 * TOKENS, WIDTH)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)
        self.layers = nn.ModuleList(Layer(by_one_call) for _ in range(LAYERS))

    def forward(self, ids: Any, place: Any, *past: Any) -> Any:
        x = self.words(ids) + self.places(place)
        present = []
        for layer, k, v in zip(self.layers, past[::2], past[1::2], strict=True):
            x, *new = layer(x, past=(k, v))
            present += new
        return (self.head(self.norm(x)), *present)


def _of_bert() -> Feeds:
    random = np.random.default_rng(0)
    mask = np.ones((1, TOKENS), np.int64)
    mask[:, -9:] = 0
    return {"ids": random.integers(0, WORDS, (1, TOKENS)), "mask": mask}


def _of_gpt() -> Feeds:
    random = np.random.default_rng(0)
    shape = 1, HEADS, TOKENS, WIDTH // HEADS
    past = {f"{part}{k}": random.standard_normal(shape, np.float32) for k in range(LAYERS) for part in "kv"}
    return {"ids": np.array([[7]]), "place": np.array([[TOKENS]]), **past}


_NETWORKS: dict[str, tuple[Callable[[bool], nn.Module], Callable[[], Feeds]]] = {
    "BERT-shaped": (Bert, _of_bert),
    "GPT-shaped step": (Gpt, _of_gpt),
}


def networks() -> Iterator[tuple[str, onnx.ModelProto, Feeds]]:
    """Each network by each exporter, and its attention spelled out and by one call: a name, a model and inputs."""
    for name, (network, inputs) in _NETWORKS.items():
        for by_one_call in (False, True):
            torch.manual_seed(0)
            module, feeds = network(by_one_call).eval(), inputs()
            for dynamo in (False, True):
                how = (
                    f"{'dynamo' if dynamo else 'torchscript'}, {'one call' if by_one_call else 'spelled out'}"
                )
                yield f"{name}: {how}", _exported(module, feeds, dynamo=dynamo), feeds


def _exported(module: nn.Module, feeds: Feeds, *, dynamo: bool) -> onnx.ModelProto:
    options: dict[str, Any] = {"external_data": False} if dynamo else {"opset_version": 17}
    file, before = io.BytesIO(), logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            arrays = tuple(map(torch.from_numpy, feeds.values()))
            torch.onnx.export(module, arrays, file, input_names=list(feeds), dynamo=dynamo, **options)
    finally:
        logging.disable(before)
    return onnx.load_from_string(file.getvalue())
