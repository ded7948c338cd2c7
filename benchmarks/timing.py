"""How calls are timed: in turns, after a rest, many in a round, the fastest round counts.

Libraries keep their threads spinning for a while after a call. Timed one right after the other, each would share the
cores with the one before, so each rests first. Rounds go round the contestants, not contestant by contestant: what
slows the machine for a second slows all of them.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Any]


@dataclass(frozen=True)
class Method:
    """How long to look. A call longer than `patience` seconds gets a third of the rounds, at least two."""

    rounds: int = 15
    round_seconds: float = 2e-3
    rest_seconds: float = 10e-3
    patience: float = 0.05


QUICK = Method(rounds=3, round_seconds=5e-4, rest_seconds=3e-3)


def four_digits(seconds: float) -> float:
    """A duration as it is kept: the last of four digits is noise."""
    return float(f"{seconds:.4g}")


def _round(call: Call, repeats: int) -> float:
    """Seconds a call, over `repeats` calls."""
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def _repeats(call: Call, seconds: float) -> int:
    """How many calls fill a round, of a call that has been made before: a second one may load something, too."""
    call()
    repeats = 1
    while (each := _round(call, repeats)) * repeats < seconds / 2:
        repeats = min(max(2 * repeats, int(seconds / each)), 16 * repeats)
    return max(1, round(seconds / each))


def fastest(calls: Mapping[str, Call], method: Method) -> dict[str, float]:
    """Seconds a call for each contestant, in its fastest round."""
    repeats = {name: _repeats(call, method.round_seconds) for name, call in calls.items()}
    best = dict.fromkeys(calls, float("inf"))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(method.rounds):
            for name, call in calls.items():
                if best[name] > method.patience and turn >= max(2, method.rounds // 3):
                    continue
                time.sleep(method.rest_seconds)
                call()  # wakes the threads and brings the data back
                best[name] = min(best[name], _round(call, repeats[name]))
    finally:
        if collecting:
            gc.enable()
    return {name: four_digits(seconds) for name, seconds in best.items()}
