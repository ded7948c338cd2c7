"""A sampler of standard operators: filters, and a draw by Gumbel noise that is an input of the graph."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from softops.numba_kernels.sampling.filters import Filters, filters_of

from ..builder.graph import Graph
from ..builder.options import RESERVED, check_known
from ..builder.rows import masked
from ..builder.steps import reduce, squeeze, top_k

SAMPLE_KEY = f"{RESERVED}sample"
"""Key of the model's metadata that holds how a token is drawn: a JSON object of `Sampling`."""


class Sampling(TypedDict, total=False):
    """
    How a token is drawn, as by `softops.numba_kernels.sample`.

    Attributes
    ----------
    top_k
        Keep the k best tokens.
    top_p
        Keep the fewest of the best that have this share of the probability of what is left.
    min_p
        Keep those that are at least this share as likely as the best.
    order
        In which order these and the temperature are applied: ``"hugging-face"`` by default, ``"vllm"``,
        ``"llama.cpp"``, ``"mlx"``, ``"onnxruntime-genai"``, or the names in a tuple.
    """

    top_k: int | None
    top_p: float | None
    min_p: float | None
    order: str | Sequence[str]


def read_sampling(sampling: object, *, opset: int, tempered: bool) -> Filters:
    """Return the options of a sampler checked; ``tempered``: whether there is a temperature."""
    if not isinstance(sampling, Mapping):
        message = f"expected sample as a dict (got {sampling!r}); pass for instance {{'top_p': 0.9}}, or {{}}"
        raise TypeError(message)
    check_known(sampling, Sampling)
    if opset < 11:
        message = f"expected opset 11 or newer for sample, which needs CumSum (got {opset}); raise the opset"
        raise ValueError(message)
    order = sampling.get("order", "hugging-face")
    top_k, top_p, min_p = (sampling.get(name) for name in ("top_k", "top_p", "min_p"))
    filters = filters_of("sample", 1.0, top_k, top_p, min_p, order)
    if tempered and "temperature" not in filters.order:
        message = f"expected temperature among the order of sample (got {order!r}); add it"
        raise ValueError(message)
    return filters


def sampling_metadata(filters: Filters) -> dict[str, str]:
    """Return what the model's metadata says about a sampler."""
    asked = {name: getattr(filters, name) for name in ("top_k", "top_p", "min_p")}
    known = {name: value for name, value in asked.items() if value is not None}
    return {SAMPLE_KEY: json.dumps(known | {"order": list(filters.order)})}


def add_sampler(graph: Graph, filters: Filters, logits: str, temperature: str | None, tokens: int) -> str:
    """
    Add the draws (N,), int64, from logits (N, V) and the input ``gumbel_noise`` (N, V), in `Graph.compute`.

    A filter leaves the beginning of a row that is sorted, so that one TopK serves all of them.
    """
    noise = graph.input("gumbel_noise", [graph.settings.batch, tokens], graph.compute)
    most = tokens if filters.top_k is None else min(filters.top_k, tokens)
    if filters.top_p == 0:
        most = 1
    sampler = _Sampler(graph, logits, temperature, tokens)
    if most < tokens or (filters.top_p is not None and filters.top_p < 1):
        sampler.sort(most)
    for step in filters.order:
        if step == "temperature":
            sampler.divisor = temperature
        elif step == "top_k" and most < tokens:
            sampler.all_at_hand = True
        elif step == "top_p" and filters.top_p is not None and 0 < filters.top_p < 1:
            sampler.keep_mass(filters.top_p)
        elif step == "min_p" and filters.min_p is not None and filters.min_p > 0:
            sampler.keep_likely(filters.min_p)
    return sampler.draw(noise, temperature)


class _Sampler:
    """The tokens at hand, all or the best in their order, and which of them are left."""

    def __init__(self, graph: Graph, logits: str, temperature: str | None, tokens: int) -> None:
        self._graph, self._logits, self._tokens = graph, logits, tokens
        self._x, self._indices = logits, ""
        self._kept: str | None = None
        self._row_kept: str | None = None
        self._largest = reduce(graph, "ReduceMax", logits, [1], name="largest_logit")
        self.divisor: str | None = None
        """The temperature, from where it is applied on."""
        self.all_at_hand = True
        """Whether all that is left of the row so far is at hand."""

    def sort(self, most: int) -> None:
        """Take the best tokens only, the best first."""
        names = ["best_logits", "best_tokens"]
        self._x, self._indices = top_k(self._graph, self._logits, most, axis=1, names=names)
        self.all_at_hand = most == self._tokens

    def _below(self, x: str, divisor: str | None, name: str) -> str:
        """By how much logits lie below the largest, over the temperature."""
        difference = self._graph.node("Sub", x, self._largest, name=f"{name}_difference")
        return difference if divisor is None else self._graph.node("Div", difference, divisor, name=name)

    def _also(self, kept: str | None, condition: str) -> str:
        return condition if kept is None else self._graph.node("And", kept, condition, name="kept")

    def keep_likely(self, share: float) -> None:
        """Keep the tokens that are at least a share as likely as the best."""
        bound = self._graph.number("log_min_p", math.log(share))

        def likely(x: str) -> str:
            less = self._graph.node("Less", self._below(x, self.divisor, "likely"), bound, name="unlikely")
            return self._graph.node("Not", less, name="likely_enough")

        self._kept = self._also(self._kept, likely(self._x))
        if not self.all_at_hand:
            self._row_kept = self._also(self._row_kept, likely(self._logits))

    def keep_mass(self, share: float) -> None:
        """Keep the first tokens that have a share of the mass of what is left."""
        graph = self._graph

        def masses(x: str, kept: str | None) -> str:
            e = graph.node("Exp", self._below(x, self.divisor, "scaled"), name="mass")
            return e if kept is None else masked(graph, e, kept, 0.0, name="kept_mass")

        mass = masses(self._x, self._kept)
        row = mass if self.all_at_hand else masses(self._logits, self._row_kept)
        total = reduce(graph, "ReduceSum", row, [1], name="total_mass")
        wanted = graph.node("Mul", total, graph.number("top_p", share), name="wanted_mass")
        axis = graph.constant("mass_axis", np.array(1, np.int64))
        before = graph.node("CumSum", mass, axis, name="mass_before", exclusive=1)
        self._kept = self._also(self._kept, graph.node("Less", before, wanted, name="within_mass"))

    def draw(self, noise: str, temperature: str | None) -> str:
        """Add the token with the largest sum of logit over temperature and noise."""
        graph = self._graph
        scores = self._below(self._x, temperature, "scores")
        if self._kept is not None:
            scores = masked(graph, scores, self._kept, -np.inf, name="kept_scores")
        if not self._indices:
            noisy = graph.node("Add", scores, noise, name="noisy_scores")
            return graph.node("ArgMax", noisy, name="sampled_token", axis=1, keepdims=0)
        own = graph.node("GatherElements", noise, self._indices, name="noise_of_best", axis=1)
        noisy = graph.node("Add", scores, own, name="noisy_scores")
        place = graph.node("ArgMax", noisy, name="sampled_place", axis=1, keepdims=1)
        token = graph.node("GatherElements", self._indices, place, name="sampled_column", axis=1)
        return squeeze(graph, token, [1], name="sampled_token")
