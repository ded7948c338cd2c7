"""Policies: Q-values or logits → Boltzmann distribution over legal actions → actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack, get_args

import numpy as np
import onnx
from numpy.typing import ArrayLike

from ..builder.arguments import check_bias, check_chosen, check_weight
from ..builder.counts import check_count
from ..builder.graph import Graph
from ..builder.options import Options, check_dtype, read_options
from ..builder.rows import add_temperature, lowest, masked, pick
from ..builder.steps import linear, reduce, squeeze

PolicyOutput = Literal[
    "probabilities",
    "log_probabilities",
    "action_log_probability",
    "greedy_action",
    "sampled_action",
]
POLICY_OUTPUTS: tuple[PolicyOutput, ...] = get_args(PolicyOutput)

ActionSampling = Literal["gumbel", "multinomial"]
SAMPLING: tuple[ActionSampling, ...] = get_args(ActionSampling)


def policy_head(
    actions: int | None = None,
    *,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    temperature: float | Literal["input"] = 1.0,
    legal_mask: bool = False,
    outputs: Sequence[PolicyOutput] = ("probabilities", "greedy_action"),
    sampling: ActionSampling = "gumbel",
    seed: float | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """
    Build a Boltzmann policy: ``probabilities = softmax(logits / temperature)`` over the legal actions.

    With N states and A actions the model takes

    - ``logits`` (N, A), Q-values or logits; or ``features`` (N, F) where a last linear layer is given;
    - ``temperature`` (1,), where it is an input;
    - ``legal_actions`` (N, A), bool, with ``legal_mask``;
    - ``action`` (N,), int64, for the output ``action_log_probability``;
    - ``gumbel_noise`` (N, A), for the output ``sampled_action`` with ``sampling="gumbel"``;

    and gives those of these that ``outputs`` names, in its order:

    - ``probabilities``, ``log_probabilities`` (N, A): 0 and −inf for an action that is not legal;
    - ``action_log_probability`` (N,), that of the given action;
    - ``greedy_action`` (N,), int64: the legal action of the largest logit, the first of equal ones;
    - ``sampled_action`` (N,), int64: drawn from the probabilities.

    In a state without any legal action all probabilities are 0, all log-probabilities −inf and both actions 0:
    ask the mask.

    Parameters
    ----------
    actions
        A; known from ``weight`` where there is one.
    weight, bias
        (A, F) and (A,): the network's last layer, where the model shall begin before it.
    temperature
        A positive number, which is kept in the model's metadata under ``softops.temperature``, or
        ``"input"``: then who runs the model passes it, above 0. Logits are divided by it after their largest
        was subtracted, so that a temperature near 0 gives the greedy policy and no NaN.
    legal_mask
        Add the input ``legal_actions``.
    outputs
        Which outputs, in which order.
    sampling
        How ``sampled_action`` is drawn. ``gumbel``: the largest of ``log_probabilities + gumbel_noise``, with
        noise that the caller draws (``rng.gumbel(size=(N, A))``), so that the graph stays deterministic.
        ``multinomial``: by ONNX's Multinomial, in float32; the runtime draws. onnxruntime (1.32) has it up to
        opset 21.
    seed
        Seed of Multinomial; the runtime chooses one by default.
    **options
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``,
        ``metadata``, ``path``).

    Raises
    ------
    TypeError
        A dtype or an option is of a type that is not taken.
    ValueError
        Neither or both of ``actions`` and ``weight``; a weight that is NaN or infinite; a temperature of 0; an
        unknown output or way of sampling; a seed without Multinomial.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are computed in float32 and rounded once at the outputs. An ``action`` out of range is
    refused by onnxruntime from opset 11 on, and gives −inf before.

    Sources: ``ai.onnx@1::LogSoftmax`` and later, ``ai.onnx@9::Where``, ``ai.onnx@7::Multinomial`` (of
    unnormalised log-probabilities); the Gumbel-max trick: Maddison, Tarlow and Minka 2014, arXiv:1411.0030.
    """
    settings = read_options(options)
    chosen = check_chosen("outputs", outputs, POLICY_OUTPUTS)
    _check_sampling(sampling, seed, chosen)
    matrix = None if weight is None else check_weight(weight, settings.dtype)
    offset = None if bias is None or matrix is None else check_bias(bias, matrix)
    count = _check_actions(actions, None if matrix is None else len(matrix), bias)
    plain = settings.dtype or np.dtype(np.float32)
    dtype = check_dtype(plain if matrix is None else matrix.dtype, settings.opset)

    graph = Graph("policy_head", settings, dtype)
    batch = settings.batch
    if matrix is None:
        logits = graph.input("logits", [batch, count])
    else:
        x = graph.input("features", [batch, matrix.shape[1]])
        logits = linear(graph, x, matrix, offset, name="logits")
    divisor, metadata = add_temperature(graph, temperature)
    legal = graph.input("legal_actions", [batch, count], bool) if legal_mask else None
    action = graph.input("action", [batch], np.int64) if "action_log_probability" in chosen else None
    noise = None
    if "sampled_action" in chosen and sampling == "gumbel":
        noise = graph.input("gumbel_noise", [batch, count])

    allowed = logits if legal is None else masked(graph, logits, legal, lowest(graph), name="allowed_logits")
    largest = reduce(graph, "ReduceMax", allowed, [1], name="largest_logit")
    relative = graph.node("Sub", allowed, largest, name="relative_logits")
    scaled = graph.node("Div", relative, divisor, name="scaled_logits")

    def distribution(op_type: str, name: str, nothing: float) -> str:
        scores = graph.node(op_type, scaled, name=name, axis=1)
        return scores if legal is None else masked(graph, scores, legal, nothing, name=f"legal_{name}")

    made: dict[str, str] = {}

    def logs() -> str:
        if "logs" not in made:
            made["logs"] = distribution("LogSoftmax", "log_probabilities", -np.inf)
        return made["logs"]

    def of_action() -> str:
        assert action is not None
        return pick(graph, logs(), action, count, name="action_log_probability")

    def sampled() -> str:
        if noise is None:
            return _multinomial(graph, logs(), seed)
        noisy = graph.node("Add", logs(), noise, name="noisy_log_probabilities")
        return graph.node("ArgMax", noisy, name="sampled_action", axis=1, keepdims=0)

    steps: dict[str, Callable[[], str]] = {
        "probabilities": lambda: distribution("Softmax", "probabilities", 0),
        "log_probabilities": logs,
        "action_log_probability": of_action,
        "greedy_action": lambda: graph.node("ArgMax", allowed, name="greedy_action", axis=1, keepdims=0),
        "sampled_action": sampled,
    }
    for name in chosen:
        wide = name.endswith("probabilities")
        integers = np.int64 if name in ("greedy_action", "sampled_action") else None
        graph.output(name, steps[name](), [batch, count] if wide else [batch], integers)
    text = f"Boltzmann policy over {count} actions, temperature {temperature}."
    return graph.finish(text, metadata)


def _multinomial(graph: Graph, logs: str, seed: float | None) -> str:
    single = logs if graph.compute == np.float32 else graph.cast(logs, np.float32)
    attributes: dict[str, Any] = {} if seed is None else {"seed": float(seed)}
    to = onnx.TensorProto.INT64
    column = graph.node("Multinomial", single, name="sampled_column", sample_size=1, dtype=to, **attributes)
    return squeeze(graph, column, [1], name="sampled_action")


def _check_actions(actions: object, rows: int | None, bias: ArrayLike | None) -> int:
    if (actions is None) == (rows is None):
        message = (
            "expected either the number of actions or the weight of the last layer "
            f"(got {'neither' if rows is None else 'both'}); pass one of them"
        )
        raise ValueError(message)
    if rows is not None:
        return rows
    if bias is not None:
        message = "expected no bias without a weight; pass both, or add it to the logits"
        raise ValueError(message)
    return check_count("actions", actions)


def _check_sampling(sampling: object, seed: Any, outputs: Sequence[str]) -> None:
    if sampling not in SAMPLING:
        message = f"expected sampling among {', '.join(SAMPLING)} (got {sampling!r}); choose one"
        raise ValueError(message)
    if seed is None:
        return
    if isinstance(seed, bool) or not isinstance(seed, int | float | np.integer | np.floating):
        message = f"expected the seed as a number (got {seed!r}); pass for instance seed=1"
        raise TypeError(message)
    if sampling != "multinomial" or "sampled_action" not in outputs:
        message = (
            "expected a seed only for the output sampled_action with sampling='multinomial' "
            f"(got seed={seed}); leave it out, or ask for that"
        )
        raise ValueError(message)
    # The attribute is a float32, where larger integers fall together; NaN and inf are no seeds.
    if not float(seed).is_integer() or abs(float(seed)) > 2**24:
        message = f"expected a whole number within 2**24 as seed (got {seed}); choose another"
        raise ValueError(message)
