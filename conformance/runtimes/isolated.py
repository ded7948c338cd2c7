"""A runtime in a process of its own: it may crash or hang without taking along who runs it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ..errors import RuntimeUnusableError
from .child import Answer, Child, RuntimeDiedError, check_sendable
from .loading import load
from .names import get_runtime
from .protocol import Feeds, LoadingRuntime, Run, Runtime, name_of, precision_of, settings_of, version_of

STARTING_SECONDS = 120.0
"""How long a process may take to import its runtime."""


def with_time_limit(runtime: str | Runtime, seconds: float) -> Runtime:
    """
    Return the runtime in a process of its own, each load and each run with a time limit.

    One that has processes of its own, as a command line does, is given the limit (``limited``). Raises as
    `get_runtime`; TypeError: an object cannot be sent to another process.
    """
    limited = getattr(get_runtime(runtime), "limited", None)
    made: Runtime = Isolated(runtime, seconds) if limited is None else limited(seconds)
    return made


def close(runtime: Runtime) -> None:
    """End the processes that a runtime has, if it has any."""
    ended = getattr(runtime, "close", None)
    if ended is not None:
        ended()


class Isolated(LoadingRuntime):
    """
    A runtime in a process of its own, which is stopped when it does not answer, and started again when needed.

    ``runtime`` is a name, or an object that can be pickled; ``seconds`` the time limit of each load and each run.
    """

    def __init__(self, runtime: str | Runtime, seconds: float, setting: str = "") -> None:
        here = get_runtime(runtime)
        if not isinstance(runtime, str):
            check_sendable(here, name_of(here))
        self.name, self.version, self.settings = name_of(here), version_of(here), settings_of(here)
        self._runtime, self._seconds, self._setting = runtime, seconds, setting
        self.full_precision = precision_of(here).full
        self._here = here
        self._child = Child(self.name, _made, runtime, setting)
        self._model: bytes | None = None

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        """As the runtime itself says, without its process."""
        supports = getattr(self._here, "supports", None)
        reason: str | None = None if supports is None else supports(op, opset, dtype)
        return reason

    def configured(self, setting: str) -> Isolated:
        """Return the same runtime in a setting, in another process."""
        return Isolated(self._runtime, self._seconds, setting)

    def load(self, model: bytes) -> Run:
        """Load the model in the process and return what runs it there."""
        try:
            self._ask("load", model, self._seconds)
        finally:
            if self._child.running:  # a model that is refused has a precision all the same
                precision = self._ask("precision", None, self._seconds)
                self.computes_in, self.runs_on = precision.computes_in, precision.runs_on
        self._model = model
        return partial(self._run_loaded, model)

    def close(self) -> None:
        """End the process."""
        self._child.close()
        self._model = None

    def _run_loaded(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        if self._model != model or not self._child.running:  # it has loaded another model, or died since
            self.load(model)
        outputs: Sequence[NDArray[Any]] = self._ask("run", dict(feeds), self._seconds)
        return outputs

    def _ask(self, what: str, content: Any, seconds: float) -> Any:
        if not self._child.running:
            try:
                self._child.ask(("start", None), STARTING_SECONDS)
            except RuntimeDiedError as error:
                message = (
                    f"expected {self.name} to start in a process of its own (got one that ended at once, see above); "
                    'guard a script by if __name__ == "__main__", and define a runtime of your own in a module'
                )
                raise RuntimeUnusableError(message) from error
        return self._child.ask((what, content), seconds)


def _made(runtime: str | Runtime, setting: str) -> Answer:
    """Make the runtime in its process, and return what answers there."""
    chosen: Any = get_runtime(runtime)
    chosen = chosen.configured(setting) if setting else chosen
    loaded: list[Run] = []

    def answer(request: tuple[str, Any]) -> Any:
        what, content = request
        if what == "load":
            loaded[:] = [load(chosen, content)]
        elif what == "precision":
            return precision_of(chosen)
        elif what == "run":
            return loaded[0](content)
        return None

    return answer
