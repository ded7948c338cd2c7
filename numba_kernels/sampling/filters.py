"""Which filters are applied to the logits, in which order: what libraries do, by their names."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ..arrays.addresses import Array
from ..arrays.inputs import check_count

TOP_K, TOP_P, MIN_P = range(3)
Step = Literal["temperature", "top_k", "top_p", "min_p"]
Library = Literal["hugging-face", "vllm", "llama.cpp", "mlx", "onnxruntime-genai"]
STEPS: tuple[Step, ...] = get_args(Step)
ORDERS: dict[Library, tuple[Step, ...]] = {
    "hugging-face": ("temperature", "top_k", "top_p", "min_p"),
    "vllm": ("temperature", "min_p", "top_k", "top_p"),
    "llama.cpp": ("top_k", "top_p", "min_p", "temperature"),
    "mlx": ("top_p", "min_p", "top_k", "temperature"),
    "onnxruntime-genai": ("top_k", "temperature", "top_p"),
}


class Filters(NamedTuple):
    """What a user asks for, checked; None: not."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    order: tuple[str, ...]

    def plan(self, classes: int, by_row: Array | None = None) -> Array:
        """For the kernel: the temperature, then of each step its code, its amount, the temperature that it sees.

        With temperatures by row a plan for each row.
        """
        # what is so far below the maximum that it would overflow has no weight anyway
        final: float | Array = max(self.temperature, 1e-300) if by_row is None else np.maximum(by_row, 1e-300)
        degrees: float | Array = 1.0
        steps: list[tuple[float | Array, ...]] = []
        for step in self.order:
            if step == "temperature":
                degrees = final
            elif step == "top_k" and self.top_k is not None and self.top_k < classes:
                steps.append((TOP_K, self.top_k, degrees))
            elif step == "top_p" and self.top_p is not None and self.top_p < 1:
                steps.append((TOP_P, self.top_p, degrees) if self.top_p > 0 else (TOP_K, 1, degrees))
            elif step == "min_p" and self.min_p is not None and self.min_p > 0:
                steps.append((MIN_P, degrees * math.log(self.min_p), degrees))
        numbers = [final, *(number for step in steps for number in step)]
        return np.stack(np.broadcast_arrays(*numbers), -1, dtype=np.float64)


def filters_of(
    name: str, temperature: Any, top_k: Any, top_p: Any, min_p: Any, order: str | Sequence[str]
) -> Filters:
    """The arguments of a sampler, checked."""
    degrees = _number(name, "temperature", temperature)
    if not 0 <= degrees < math.inf:
        message = (
            f"{name} takes a temperature from 0 on and finite, 0 for the best class (got {temperature!r})"
        )
        raise ValueError(message)
    count = None
    if top_k is not None:
        count = check_count(name, "top_k", top_k)
        if count < 1:
            message = f"{name} takes a top_k from 1 on (got {count}); leave it out to keep all classes"
            raise ValueError(message)
    shares = (_share(name, "top_p", top_p), _share(name, "min_p", min_p))
    filters = Filters(degrees, count, *shares, order=_checked_order(name, order))
    asked = [step for step in STEPS[1:] if getattr(filters, step) is not None]
    asked += ["temperature"] * (degrees != 1)
    missing = [step for step in asked if step not in filters.order]
    if missing:
        message = f"{name} with order={order!r} has no {missing[0]}; leave it out, or take another order"
        raise ValueError(message)
    return filters


def _number(name: str, what: str, given: Any) -> float:
    if not isinstance(given, int | float | np.integer | np.floating):
        message = f"{name} takes a number as {what} (got {given!r}); pass for instance {what}=0.7"
        raise TypeError(message)
    return float(given)


def _share(name: str, what: str, given: Any) -> float | None:
    share = None if given is None else _number(name, what, given)
    if share is not None and not 0 <= share <= 1:
        message = f"{name} takes a {what} from 0 to 1 (got {given!r}); leave it out to keep all classes"
        raise ValueError(message)
    return share


def _checked_order(name: str, order: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(order, str):
        if order not in ORDERS:
            known = ", ".join(ORDERS)
            message = f"{name} takes an order of {known}, or a tuple of {', '.join(STEPS)} (got {order!r})"
            raise ValueError(message)
        return ORDERS[order]
    steps = tuple(order)
    if len(set(steps)) < len(steps) or not set(steps) <= set(STEPS):
        message = f"{name} takes each of {', '.join(STEPS)} once at the most as order (got {steps!r})"
        raise ValueError(message)
    return steps
