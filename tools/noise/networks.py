"""Networks of torch, small and of random weights; imported only where torch is installed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


class Attention(nn.Module):
    """Attention to itself, spelled out; ``causal``: to what came before alone."""

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        rows, length, width = x.shape
        shape = (rows, length, self.heads, width // self.heads)
        q, k, v = (part(x).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // self.heads)
        if self.causal:
            later = torch.ones(length, length, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -1e9)
        mixed = torch.softmax(scores, -1) @ v
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    """Attention and two layers with GELU between; normalised before each (``first``) or after it."""

    def __init__(self, width: int, heads: int, eps: float, *, first: bool, causal: bool = False) -> None:
        super().__init__()
        self.first = first
        self.attention = Attention(width, heads, causal=causal)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=eps) for _ in range(2))

    def forward(self, x: Any) -> Any:
        if self.first:
            x = x + self.attention(self.norms[0](x))
            return x + self.layers(self.norms[1](x))
        x = self.norms[0](x + self.attention(x))
        return self.norms[1](x + self.layers(x))


class Bert(nn.Module):
    """Shaped like BERT: tokens to states, and the first state through tanh."""

    def __init__(self, width: int = 64, depth: int = 2, heads: int = 4, words: int = 500) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(512, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.Sequential(*(Block(width, heads, 1e-12, first=False) for _ in range(depth)))
        self.pool = nn.Linear(width, width)

    def forward(self, ids: Any) -> Any:
        x = self.words(ids) + self.places.weight[: ids.shape[1]]
        x = self.blocks(self.norm(x))
        return x, torch.tanh(self.pool(x[:, 0]))


class Gpt(nn.Module):
    """Shaped like GPT-2: tokens to the scores of the next."""

    def __init__(self, width: int = 64, depth: int = 2, heads: int = 4, words: int = 1000) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(512, width)
        blocks = (Block(width, heads, 1e-5, first=True, causal=True) for _ in range(depth))
        self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(width, eps=1e-5)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, ids: Any) -> Any:
        x = self.words(ids) + self.places.weight[: ids.shape[1]]
        return self.head(self.norm(self.blocks(x)))


class VisionTransformer(nn.Module):
    """Patches of an image, attention among them, ten classes."""

    def __init__(self, width: int = 64, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, stride=8)
        self.first, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(17, width))
        self.blocks = nn.Sequential(*(Block(width, heads, 1e-6, first=True) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 10)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x)[:, 0]))


def convolution(
    inner: int, outer: int, stride: int = 1, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Return a convolution of 3 by 3, BatchNorm of statistics as after training, and an activation."""
    norm = nn.BatchNorm2d(outer)
    nn.init.normal_(norm.running_mean, std=0.3)
    nn.init.uniform_(norm.running_var, 0.3, 1.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, std=0.3)
    return nn.Sequential(nn.Conv2d(inner, outer, 3, stride, 1, bias=False), norm, activation())


class Residual(nn.Module):
    """A small residual network of ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, 16, 2)
        self.parts = nn.ModuleList(
            nn.Sequential(convolution(16, 16), convolution(16, 16, activation=nn.Identity)) for _ in range(3)
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for part in self.parts:
            x = torch.relu(x + part(x))
        return self.head(x.mean((2, 3)))


class Detection(nn.Module):
    """A detection head as YOLOv8 has it: boxes as the means of softmaxes over 16 distances, sigmoids of classes."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(3, 16, 2, nn.SiLU), convolution(16, 32, 2, nn.SiLU), convolution(32, 32, 2, nn.SiLU)
        )
        self.boxes, self.classes = nn.Conv2d(32, 64, 1), nn.Conv2d(32, classes, 1)
        self.register_buffer("distances", torch.arange(16.0))

    def forward(self, x: Any) -> Any:
        x = self.body(x)
        spread = torch.softmax(self.boxes(x).flatten(2).unflatten(1, (4, 16)), 2)
        sides = (spread * self.distances[:, None]).sum(2)
        height, width = x.shape[2:]
        down, across = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        centres = torch.stack([across.flatten(), down.flatten()])
        near, far = centres - sides[:, :2], centres + sides[:, 2:]
        boxes = torch.cat([(near + far) / 2, far - near], 1) * 8
        return boxes, torch.sigmoid(self.classes(x).flatten(2))


class Decoder(nn.Module):
    """Down and up again with bilinear resizing, as a U-Net; a mask between 0 and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([convolution(3, 8), convolution(8, 16), convolution(16, 16)])
        self.up = nn.ModuleList([convolution(32, 16), convolution(24, 8)])
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x: Any) -> Any:
        first = self.down[0](x)
        second = self.down[1](nn.functional.max_pool2d(first, 2))
        x = self.down[2](nn.functional.max_pool2d(second, 2))
        for part, beside in zip(self.up, (second, first), strict=True):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = part(torch.cat([x, beside], 1))
        return torch.sigmoid(self.head(x))


class Recurrent(nn.Module):
    """An LSTM or a GRU, and scores of each state."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.inner, self.head = kind(16, 32, batch_first=True), nn.Linear(32, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.inner(x)[0])
