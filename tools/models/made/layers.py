"""Small networks of torch: an LSTM, convolutions, quantised layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Attended(nn.Module):
    """Attention to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.inner(x, x, x)


class Last(nn.Module):
    """An LSTM and a softmax of its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        return torch.softmax(self.head(self.inner(x)[0][:, -1]), -1)


class Quantised(nn.Module):
    """Two layers, quantised and back around each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        fake = torch.fake_quantize_per_tensor_affine
        hidden = torch.relu(self.first(fake(x, 0.05, 128, 0, 255)))
        return torch.softmax(fake(self.second(fake(hidden, 0.02, 0, 0, 255)), 0.05, 128, 0, 255), -1)


def encoder() -> nn.Module:
    """Two layers of torch's own transformer."""
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def convolutions() -> nn.Module:
    """Pictures of 3 x 16 x 16 to ten classes."""
    first = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2))
    second = (nn.Conv2d(8, 16, 3), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*first, *second, nn.Linear(16, 10), nn.Softmax(-1))


def flattened() -> nn.Module:
    """A softmax over channels, flattened."""
    return nn.Sequential(nn.Conv2d(3, 7, 8), nn.Softmax(1), nn.Flatten())
