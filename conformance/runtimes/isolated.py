"""A runtime in a process of its own: it may crash or hang without taking along who runs it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from numpy.typing import NDArray

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError
from .loading import load
from .names import get_runtime
from .protocol import Feeds, LoadingRuntime, Run, Runtime, name_of, precision_of, settings_of, version_of

STARTING_SECONDS = 120.0
"""How long a process may take to import its runtime."""

_ERRORS = {
    kind.__name__: kind
    for kind in (ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError)
}


class RuntimeDiedError(ModelNotRunError):
    """The process of the runtime ended by itself."""


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
        self._process: Any = None
        self._pipe: Connection | None = None
        here = get_runtime(runtime)
        if not isinstance(runtime, str):
            _check_sendable(here)
        self.name, self.version, self.settings = name_of(here), version_of(here), settings_of(here)
        self._runtime, self._seconds, self._setting = runtime, seconds, setting
        self.full_precision = precision_of(here).full
        self._here = here
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
            if self._pipe is not None:  # a model that is refused has a precision all the same
                precision = self._ask("precision", None, self._seconds)
                self.computes_in, self.runs_on = precision.computes_in, precision.runs_on
        self._model = model
        return partial(self._run_loaded, model)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        self._model = None

    def __del__(self) -> None:
        self.close()

    def _run_loaded(self, model: bytes, feeds: Feeds) -> Sequence[NDArray[Any]]:
        if self._model != model:  # the process died since, or has loaded another model
            self.load(model)
        outputs: Sequence[NDArray[Any]] = self._ask("run", dict(feeds), self._seconds)
        return outputs

    def _ask(self, what: str, content: Any, seconds: float) -> Any:
        pipe = self._started()
        try:
            pipe.send((what, content))
            if not pipe.poll(seconds):
                self.close()
                message = f"{self.name} did not answer within {seconds:g} seconds"
                raise RuntimeHungError(message)
            answer, value = pipe.recv()
        except (EOFError, OSError) as error:
            assert self._process is not None
            self._process.join()
            code = self._process.exitcode
            self.close()
            message = f"the process of {self.name} ended with code {code}"
            raise RuntimeDiedError(message) from error
        if answer != "done":
            raise _ERRORS.get(answer, ModelNotRunError)(*value)
        return value

    def _started(self) -> Connection:
        if self._pipe is None:
            # Not a fork: threads and locks of a runtime in this process would come along, half alive.
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._runtime, self._setting), daemon=True
            )
            self._process.start()
            theirs.close()
            try:
                self._ask("start", None, STARTING_SECONDS)
            except RuntimeDiedError as error:
                message = (
                    f"expected {self.name} to start in a process of its own (got one that ended at once, see above); "
                    'guard a script by if __name__ == "__main__", and define a runtime of your own in a module'
                )
                raise RuntimeUnusableError(message) from error
        return self._pipe


def _check_sendable(runtime: Runtime) -> None:
    try:
        ForkingPickler.dumps(runtime)
    except Exception as error:  # whatever its __reduce__ raises
        message = (
            f"expected a runtime that can be sent to a process of its own (got {name_of(runtime)}: {error}); define "
            "its class at the top of a module, name it by an entry point in the group softops.runtimes "
            '("module:attribute"), or leave out time_limit, which keeps it in this process'
        )
        raise TypeError(message) from error


def _serve(pipe: Connection, runtime: str | Runtime, setting: str) -> None:
    """Answer requests until the other side is gone."""
    chosen: Any = None
    ready: Run | None = None
    while True:
        try:
            what, content = pipe.recv()
        except EOFError:
            return
        try:
            value: Any = None
            if what == "start":
                chosen = get_runtime(runtime)
                chosen = chosen.configured(setting) if setting else chosen
            elif what == "load":
                ready = load(chosen, content)
            elif what == "precision":
                value = precision_of(chosen)
            elif what == "run":
                assert ready is not None
                value = ready(content)
            pipe.send(("done", value))
        except Exception as error:
            pipe.send((type(error).__name__, (str(error), getattr(error, "detail", ""))))
