"""The activation functions of recurrent layers, by the names that ONNX has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..nodes.arrays import Array

Activation = Callable[[Array], Array]


class _Form(NamedTuple):
    """``function(x, alpha, beta)``, and the defaults of those of the two that it has."""

    function: Callable[[Array, float, float], Any]
    alpha: float | None = None
    beta: float | None = None


_FORMS = {
    "relu": _Form(lambda x, *_: np.maximum(x, 0)),
    "tanh": _Form(lambda x, *_: np.tanh(x)),
    "sigmoid": _Form(lambda x, *_: 1 / (1 + np.exp(-x))),
    "softsign": _Form(lambda x, *_: x / (1 + np.abs(x))),
    "softplus": _Form(lambda x, *_: np.logaddexp(x, 0)),
    "leakyrelu": _Form(lambda x, alpha, _: np.where(x >= 0, x, alpha * x), 0.01),
    "thresholdedrelu": _Form(lambda x, alpha, _: np.where(x >= alpha, x, 0), 1.0),
    "elu": _Form(lambda x, alpha, _: np.where(x >= 0, x, alpha * np.expm1(x)), 1.0),
    "affine": _Form(lambda x, alpha, beta: alpha * x + beta, 1.0, 0.0),
    "scaledtanh": _Form(lambda x, alpha, beta: alpha * np.tanh(beta * x), 1.0, 1.0),
    "hardsigmoid": _Form(lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), 0.2, 0.5),
}


def activations_of(
    attributes: Mapping[str, Any], defaults: Sequence[str], directions: int
) -> list[list[Activation]]:
    """
    Return the activation functions of each direction of a recurrent layer, behind its clip.

    Of ``activation_alpha`` and ``activation_beta`` each function that has such a number takes the next one; where
    none is left it takes the default.

    Raises
    ------
    ValueError
        Too few names, or one that ONNX does not have.
    """
    names = attributes.get("activations") or [*defaults] * directions
    each = len(defaults)
    if len(names) < each * directions:
        message = f"expected {each * directions} activations (got {', '.join(names)}); name one for each gate"
        raise ValueError(message)
    alphas, betas = (iter(attributes.get(name) or ()) for name in ("activation_alpha", "activation_beta"))
    made = [_activation(name, alphas, betas) for name in names[: each * directions]]
    return [made[start : start + each] for start in range(0, len(made), each)]


def _activation(name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    form = _FORMS.get(name.lower())
    if form is None:
        message = (
            f"expected activations that ONNX has (got {name!r}); take one of {', '.join(sorted(_FORMS))}"
        )
        raise ValueError(message)
    alpha = 0.0 if form.alpha is None else next(alphas, form.alpha)
    beta = 0.0 if form.beta is None else next(betas, form.beta)
    return lambda x: np.asarray(form.function(x, alpha, beta))


def clipped(activations: Sequence[Activation], clip: float | None) -> list[Activation]:
    """The same activations of numbers in [-clip, clip], the nearest to what they are given."""
    if clip is None:
        return list(activations)
    return [lambda x, f=function: f(np.clip(x, -clip, clip)) for function in activations]  # type: ignore[misc]
