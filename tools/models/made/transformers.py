"""Transformers of torch in the shapes of those that people export: BERT, GPT, a vision transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

_WIDTH, _HEADS, _LAYERS = 64, 4, 2
_TOKENS, _LENGTH = 200, 16


class _Attention(nn.Module):
    """Attention to itself, spelled out or as torch's one function, with a mask that is added to the scores."""

    def __init__(self, *, spelled_out: bool) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(_WIDTH, 3 * _WIDTH), nn.Linear(_WIDTH, _WIDTH)
        self.spelled_out = spelled_out

    def forward(self, x: Any, mask: Any) -> Any:
        rows, length, _ = x.shape
        parts = self.qkv(x).view(rows, length, 3, _HEADS, _WIDTH // _HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        if self.spelled_out:
            scores = query @ key.transpose(-2, -1) / (_WIDTH // _HEADS) ** 0.5
            mixed = torch.softmax(scores + mask, -1) @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).reshape(rows, length, _WIDTH))


class _Block(nn.Module):
    """Attention and two layers, each added to what comes in, normalised before (GPT) or behind (BERT)."""

    def __init__(self, *, before: bool, spelled_out: bool, approximate: str = "none") -> None:
        super().__init__()
        self.attention = _Attention(spelled_out=spelled_out)
        self.first, self.second = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.layers = nn.Sequential(
            nn.Linear(_WIDTH, 4 * _WIDTH), nn.GELU(approximate), nn.Linear(4 * _WIDTH, _WIDTH)
        )
        self.before = before

    def forward(self, x: Any, mask: Any) -> Any:
        if self.before:
            x = x + self.attention(self.first(x), mask)
            return x + self.layers(self.second(x))
        x = self.first(x + self.attention(x, mask))
        return self.second(x + self.layers(x))


class Bert(nn.Module):
    """Tokens, what they belong to and a mask of padding to probabilities of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(_TOKENS, _WIDTH), nn.Embedding(_LENGTH, _WIDTH)
        self.kinds, self.norm = nn.Embedding(2, _WIDTH), nn.LayerNorm(_WIDTH)
        self.blocks = nn.ModuleList(_Block(before=False, spelled_out=True) for _ in range(_LAYERS))
        self.pooler, self.head = nn.Linear(_WIDTH, _WIDTH), nn.Linear(_WIDTH, 3)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        places = torch.arange(_LENGTH)
        x = self.norm(self.words(input_ids) + self.places(places) + self.kinds(token_type_ids))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for block in self.blocks:
            x = block(x, mask)
        return torch.softmax(self.head(torch.tanh(self.pooler(x[:, 0]))), -1)


class Gpt(nn.Module):
    """Tokens to the logits of the next ones; each sees those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(_TOKENS, _WIDTH), nn.Embedding(_LENGTH, _WIDTH)
        self.blocks = nn.ModuleList(
            _Block(before=True, spelled_out=False, approximate="tanh") for _ in range(_LAYERS)
        )
        self.norm = nn.LayerNorm(_WIDTH)
        self.register_buffer("mask", torch.full((_LENGTH, _LENGTH), float("-inf")).triu(1))

    def forward(self, input_ids: Any) -> Any:
        x = self.words(input_ids) + self.places(torch.arange(_LENGTH))
        for block in self.blocks:
            x = block(x, self.mask)
        return self.norm(x) @ self.words.weight.T


class VisionTransformer(nn.Module):
    """Pictures of 3 x 32 x 32 in patches of 8 x 8 to probabilities of ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, _WIDTH, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, _WIDTH))
        self.places = nn.Parameter(torch.randn(1, 17, _WIDTH))
        self.blocks = nn.ModuleList(_Block(before=True, spelled_out=False) for _ in range(_LAYERS))
        self.norm, self.head = nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, 10)

    def forward(self, pixels: Any) -> Any:
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x, None)
        return torch.softmax(self.head(self.norm(x)[:, 0]), -1)


def tokens(rows: int) -> tuple[Any, ...]:
    """What `Bert` takes: rows of tokens, each padded behind another length."""
    ids = torch.randint(0, _TOKENS, (rows, _LENGTH))
    mask = (torch.arange(_LENGTH) < torch.arange(_LENGTH - rows, _LENGTH)[:, None]).long()
    return ids, mask, (torch.arange(_LENGTH) > _LENGTH // 2).long().repeat(rows, 1)
