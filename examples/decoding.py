"""Decode with a small random model of GPT's shape: exported by torch, run by the backend and by onnxruntime.

    python examples/decoding.py

The tokens are drawn by `softops.numba_kernels.sample`: with the same seeds the two runtimes write the same. Writes
decoding.onnx into the working folder. Needs torch.
"""

import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

from softops.numba_kernels import sample
from softops.opset.backend import prepare

VOCABULARY, WIDTH, HEADS, LAYERS, LONGEST = 1000, 128, 4, 2, 128


class Block(nn.Module):
    """Attention over the positions so far, whose keys and values are handed on, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(2)])
        self.mix, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.feed = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x, hidden, past):
        batch, length, _ = x.shape
        parts = self.mix(self.norms[0](x)).reshape(batch, length, 3, HEADS, WIDTH // HEADS)
        q, k, v = (parts[:, :, i].transpose(1, 2) for i in range(3))
        k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q @ k.transpose(2, 3) * (WIDTH // HEADS) ** -0.5
        mixed = torch.softmax(scores + hidden, -1) @ v
        x = x + self.project(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.feed(self.norms[1](x)), torch.stack([k, v])


class Gpt(nn.Module):
    """Tokens (batch, length) that follow those in `past` → logits of the next token, and `past` for it."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens, past):
        before, length = past.shape[4], tokens.shape[1]
        place = torch.arange(before, before + length)
        later = torch.arange(before + length)[None, :] > place[:, None]
        hidden = torch.zeros(later.shape).masked_fill(later, float("-inf"))
        x, present = self.tokens(tokens) + self.positions(place), []
        for i, block in enumerate(self.blocks):
            x, kept = block(x, hidden, past[i])
            present.append(kept)
        # not trained: four times as large, so that some tokens are much likelier than others
        return 4 * self.head(self.norm(x[:, -1])), torch.stack(present)


def export(path: str) -> None:
    """Write a random model."""
    torch.manual_seed(0)
    past = torch.zeros(LAYERS, 2, 1, HEADS, 3, WIDTH // HEADS)
    axes = {"tokens": {0: "batch", 1: "length"}, "past": {2: "batch", 4: "before"}}
    warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
    torch.onnx.export(
        Gpt().eval(),
        (torch.zeros(1, 2, dtype=torch.int64), past),
        path,
        input_names=["tokens", "past"],
        output_names=["logits", "present"],
        dynamic_axes=axes | {"logits": {0: "batch"}, "present": {2: "batch", 4: "after"}},
        opset_version=18,
        dynamo=False,
    )


def decode(run, prompts: np.ndarray, steps: int) -> np.ndarray:
    """Go on with prompts: of every sequence the likeliest tokens, 0.9 of the probability, at a temperature of 0.8.

    Each sequence has a seed of its own, and its tokens are told apart by their positions: what is drawn does not depend
    on which other sequences there are.
    """
    batch, length = prompts.shape
    tokens, seeds = prompts, np.arange(batch) + 100
    past = np.zeros((LAYERS, 2, batch, HEADS, 0, WIDTH // HEADS), np.float32)
    given = prompts
    for position in range(length, length + steps):
        logits, past = run({"tokens": given, "past": past})
        given = sample(logits, temperature=0.8, top_p=0.9, seed=seeds, rows=position)
        tokens = np.concatenate([tokens, given], 1)
    return tokens


export("decoding.onnx")
model, session = prepare("decoding.onnx"), onnxruntime.InferenceSession("decoding.onnx")
runtimes = {"softops": model.run, "onnxruntime": lambda feeds: session.run(None, feeds)}
prompts = np.array([[1, 2, 3, 4], [10, 20, 30, 40], [7, 7, 7, 7]])
written = {}
for name, run in runtimes.items():
    decode(run, prompts, 24)  # compiles, or loads what was compiled
    begin = time.perf_counter()
    written[name] = decode(run, prompts, 24)
    each = (time.perf_counter() - begin) / 24
    print(f"{name}: {each * 1e3:.2f} ms a step")
    for line in written[name]:
        print("  ", *line)
