"""Language-model heads: hidden states → logits over the vocabulary → log-probabilities or the best tokens."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Literal, Unpack

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto

from ..builder.arguments import check_bias, check_positive, check_weight
from ..builder.choice import Choice, HeadOptions, read_choice, split_options
from ..builder.counts import check_axis, check_batch_name, check_count
from ..builder.floats import as_array
from ..builder.graph import Graph
from ..builder.options import RESERVED, Settings, check_dtype, read_options
from ..builder.outputs import add_outputs
from ..builder.rows import add_temperature, as_json
from ..builder.steps import slice_axis, squeeze
from ..builder.weights_file import data_name, external_tensor, finite_chunks, save_with_data
from .sampler import Sampling, add_sampler, read_sampling, sampling_metadata

SOFTCAP_KEY = f"{RESERVED}softcap"
"""Key of the model's metadata that holds the softcap of the logits: a JSON number."""

VOCABULARY_KEY = f"{RESERVED}vocabulary"
"""Key of the model's metadata that holds how many rows of the weight are tokens: a JSON number."""

EXTERNAL_FROM = 2**31 - 2**24
"""Bytes of weights from which they go to a file of their own; a model file holds less than 2 GiB in all."""

_SCORES = ("log_probabilities", "probabilities", "logits")
_SAMPLED = "sampled_token"
_INT64_MAX = 2**63 - 1


def lm_head(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    sequence: str | int | None = "sequence",
    softcap: float | None = None,
    temperature: float | Literal["input"] | None = None,
    vocabulary: int | None = None,
    sample: Sampling | None = None,
    external_from: int = EXTERNAL_FROM,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build the head of a language model: the scores of the next token.

    ``logits = hidden_states[:, -1] @ weight.T + bias``, then ``softcap * tanh(logits / softcap)``, −inf for rows
    of the weight that are padding and no tokens, ``log_probabilities = log_softmax(logits / temperature)``.
    With N sequences of S positions, H numbers each, and V rows of the weight the model takes
    ``hidden_states`` (N, S, H), and ``temperature`` (1,) where it is an input, and gives those of these that
    ``outputs`` names, in its order:

    - ``log_probabilities``, ``probabilities``, ``logits`` (N, V); ``logits`` are capped and masked, but not
      divided by the temperature;
    - ``top_k_values`` (log-probabilities), ``top_k_indices`` (int64) and ``top_k_labels`` (N, k), best first;
    - ``label`` (N,), the best token;
    - ``sampled_token`` (N,), int64, drawn as ``sample`` says, with the input ``gumbel_noise`` (N, V).

    By default that is ``log_probabilities``; with ``sample`` the token drawn, and with ``top_k`` values and indices of
    the best tokens, and their labels where they have any.

    Parameters
    ----------
    weight
        (V, H), float32, float64, float16 or bfloat16, finite; the embedding matrix as it is where weights are
        tied: Gemm transposes in the graph (``transB=1``). A ``np.memmap`` is read once, some rows at a time,
        where it goes to a file of its own.
    bias
        (V,), finite; none by default.
    sequence
        Name of the dynamic axis of positions, or their fixed number; the last one is taken. None for a model
        that takes the ``hidden_states`` (N, H) of positions already chosen.
    softcap
        Positive: what logits are capped to, from both sides; kept in the model's metadata under
        ``softops.softcap``.
    temperature
        None for 1; a positive number, kept under ``softops.temperature``; or ``"input"``: then who runs the
        model passes it, above 0.
    vocabulary
        How many rows of the weight, from the first on, are tokens, at least ``top_k``; the others are padding.
        All by default. Kept under ``softops.vocabulary``.
    sample
        `Sampling`: how ``sampled_token`` is drawn, a dict of ``top_k``, ``top_p``, ``min_p`` and ``order``, an empty
        one for a draw from all tokens; kept under ``softops.sample``. The noise is an input, float64 where the model
        is and float32 otherwise, so that the graph is deterministic: with `softops.numba_kernels.gumbel_noise` a
        token is that of `softops.numba_kernels.sample`, but where rounding decides. From opset 11 on. Of a row with
        NaN any token is drawn.
    external_from
        Bytes from which the weight is written to a file beside the model, named like it with ``.data`` added,
        as ONNX's external data; by default where the model would come near the 2 GiB that one file can hold.
        That needs a ``path``, and the model returned refers to the file.
    **options
        `HeadOptions` (``labels``, the tokens as strings; ``outputs``, ``top_k``, ``threshold``,
        ``abstain_label``) and `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``,
        ``doc_string``, ``metadata``, ``path``).

    Raises
    ------
    TypeError
        A dtype, a label or an option is of a type that is not taken.
    ValueError
        A shape, a number of labels or an opset that does not fit; a weight that is NaN or infinite, or
        overflows in ``dtype``; an unknown output; a temperature or softcap of 0; a large weight and no path.
    OSError
        ``path`` cannot be written.

    Notes
    -----
    Halves are stored as they are, computed in float32 and rounded once at the outputs. Runtimes that fold
    constants widen such a weight when they load the model.

    Sources: ``ai.onnx@7::Gemm`` and later, ``ai.onnx@1::LogSoftmax`` and later, ``ai.onnx@1::TopK`` and later;
    external data: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md.

    Examples
    --------
    >>> embeddings = np.eye(6, 4, dtype=np.float32)  # of 6 tokens
    >>> model = lm_head(embeddings, top_k=2)
    >>> [output.name for output in model.graph.output]
    ['top_k_values', 'top_k_indices']
    """
    head, common = split_options(options)
    settings = read_options(common)
    matrix = as_array("weight", weight)
    # The first row tells dtype and shape; to look at all of a large one here would be to read it twice.
    dtype = check_weight(matrix[:1] if matrix.ndim == 2 else matrix, settings.dtype).dtype
    check_dtype(dtype, settings.opset)
    tokens, width = matrix.shape
    known = _check_vocabulary(vocabulary, tokens)
    filters = None
    if sample is not None:
        filters = read_sampling(sample, opset=settings.opset, tempered=temperature is not None)
    choice = _choice(head, known, sampled=filters is not None)

    graph = Graph("lm_head", settings, dtype)
    metadata = choice.metadata()
    last = _last_state(graph, sequence, width)
    external = tokens * width * dtype.itemsize >= check_count("external_from", external_from, _INT64_MAX)
    stored = _reference(settings, matrix.shape, dtype) if external else check_weight(matrix, dtype)
    offset = check_bias(bias, np.empty((tokens, 0), dtype))
    if offset is None and settings.opset < 11:
        # Only from version 11 on may Gemm go without its third input.
        offset = np.zeros(tokens, dtype)
    terms = [graph.wide(graph.constant("weight", stored))]
    terms += [] if offset is None else [graph.weight("bias", offset)]
    logits = graph.node("Gemm", last, *terms, name="plain_logits", transB=1)
    if softcap is not None:
        logits = _capped(graph, logits, softcap, metadata)
    if known < tokens:
        padding = np.where(np.arange(tokens) < known, 0, -np.inf)
        logits = graph.node("Add", logits, graph.number("padding", padding), name="token_logits")
        metadata[VOCABULARY_KEY] = json.dumps(known)
    scaled, divisor = logits, None
    if temperature is not None:
        divisor, about_temperature = add_temperature(graph, temperature)
        scaled = graph.node("Div", logits, divisor, name="scaled_logits")
        metadata |= about_temperature

    made = {
        "log_probabilities": lambda: graph.node("LogSoftmax", scaled, name="log_probabilities", axis=1),
        "probabilities": lambda: graph.node("Softmax", scaled, name="probabilities", axis=1),
        "logits": lambda: logits,
    }
    widths = dict.fromkeys(_SCORES, int(tokens))
    if filters is not None:
        made[_SAMPLED], widths[_SAMPLED] = partial(add_sampler, graph, filters, logits, divisor, tokens), 0
        metadata |= sampling_metadata(filters)
    add_outputs(graph, choice, made, lambda: scaled, classes=known, widths=widths, indices=[_SAMPLED])
    text = f"Language-model head: {width} features to {tokens} tokens."
    if not external:
        return graph.finish(text, metadata)
    assert settings.path is not None
    model = graph.model(text, metadata)
    chunks = finite_chunks("weight", matrix, dtype)
    save_with_data(model, settings.path, data_name(settings.path), chunks, settings.for_runtime)
    return model


def _reference(settings: Settings, shape: tuple[int, ...], dtype: np.dtype[Any]) -> TensorProto:
    if settings.path is None:
        message = (
            f"expected a path for a weight of {np.prod(shape, dtype=np.int64) * dtype.itemsize:,} bytes, "
            "which goes to a file beside the model (got none); pass path=, or raise external_from"
        )
        raise ValueError(message)
    if settings.ir_version < 4:
        message = (
            f"expected opset 9 or newer for a weight in a file of its own (got {settings.opset}); "
            "raise the opset, or external_from"
        )
        raise ValueError(message)
    return external_tensor(shape, dtype, data_name(settings.path))


def _capped(graph: Graph, logits: str, softcap: object, metadata: dict[str, str]) -> str:
    cap = check_positive("softcap", softcap, graph.compute)
    metadata[SOFTCAP_KEY] = as_json(cap)
    number = graph.number("softcap", cap)
    relative = graph.node("Tanh", graph.node("Div", logits, number, name="logits_by_cap"), name="tanh")
    return graph.node("Mul", relative, number, name="capped_logits")


def _last_state(graph: Graph, sequence: str | int | None, width: int) -> str:
    batch = graph.settings.batch
    if sequence is None:
        return graph.input("hidden_states", [batch, width])
    length = check_axis("sequence", sequence)
    check_batch_name(batch, sequence=length)
    states = graph.input("hidden_states", [batch, length, width])
    step = slice_axis(graph, states, 1, -1, _INT64_MAX, name="last_position")
    return squeeze(graph, step, [1], name="last_state")


def _choice(head: HeadOptions, known: int, *, sampled: bool) -> Choice:
    if head.get("outputs") is None:
        labels = head.get("labels") is not None
        best = ["top_k_values", "top_k_indices", *(["top_k_labels"] if labels else [])]
        outputs = ([_SAMPLED] if sampled else []) + ([] if head.get("top_k") is None else best)
        head["outputs"] = outputs or ["log_probabilities"]
    choice = read_choice(head, classes=known, scores=(*_SCORES, _SAMPLED) if sampled else _SCORES)
    if choice.zipmap:
        message = "expected no zipmap for a vocabulary; leave it out, or ask for top_k"
        raise ValueError(message)
    if sampled and _SAMPLED not in choice.outputs:
        message = f"expected the output {_SAMPLED} where there is a sample (got {', '.join(choice.outputs)}); add it"
        raise ValueError(message)
    return choice


def _check_vocabulary(vocabulary: object, tokens: int) -> int:
    if vocabulary is None:
        return tokens
    known = check_count("vocabulary", vocabulary)
    if known > tokens:
        message = f"expected a vocabulary of at most {tokens}, the rows of weight (got {known}); leave it out"
        raise ValueError(message)
    return known
