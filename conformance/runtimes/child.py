"""A process that answers one request after another: it may crash or hang without taking along who asks."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ..errors import ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError

Answer = Callable[[Any], Any]
"""What answers a request in the process."""

_ERRORS = {
    kind.__name__: kind
    for kind in (ModelNotRunError, ModelNotSupportedError, RuntimeHungError, RuntimeUnusableError)
}

_starting = threading.Lock()


class RuntimeDiedError(ModelNotRunError):
    """The process of a runtime ended by itself."""


class Child:
    """
    A process in which ``make(*given)`` makes what answers, started when it is first asked, and again after it ended.

    ``name`` is that of the runtime in it. ``make`` stands at the top of a module; ``given`` can be pickled.
    """

    def __init__(self, name: str, make: Callable[..., Answer], *given: Any) -> None:
        self._name, self._make, self._given = name, make, given
        self._process: Any = None
        self._pipe: Connection | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and has not been seen to end."""
        return self._pipe is not None

    def ask(self, request: Any, seconds: float | None = None) -> Any:
        """
        Return the answer, for which it has so many seconds.

        What is raised there is raised here, as a ModelNotRunError. RuntimeHungError: it did not answer, and was
        stopped; RuntimeDiedError: it ended.
        """
        pipe = self._started()
        try:
            pipe.send(request)
            if not pipe.poll(seconds):
                self.close()
                message = f"{self._name} did not answer within {seconds:g} seconds"
                raise RuntimeHungError(message)
            raised, answer = pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            code = self._process.exitcode
            self.close()
            message = f"the process of {self._name} ended with code {code}"
            raise RuntimeDiedError(message) from error
        if raised:
            raise _ERRORS.get(raised, ModelNotRunError)(*answer)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def __del__(self) -> None:
        self.close()

    def _started(self) -> Connection:
        if self._pipe is None:
            # Not a fork: threads and locks of a runtime in this process would come along, half alive.
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._make, self._given), daemon=True
            )
            _start(self._process)
            theirs.close()
        return self._pipe


def _start(process: Any) -> None:
    """Start a process from any other, from a daemon too, such as a worker of Dask is."""
    own = multiprocessing.current_process()
    with _starting:
        daemon = own.daemon
        try:
            # Daemons may have no children, as these would outlive them when they are stopped. Ours ends with its pipe.
            if daemon:
                own.daemon = False
            process.start()
        finally:
            if daemon:
                own.daemon = True


def check_sendable(runtime: Any, name: str) -> None:
    """Refuse a runtime that cannot be sent to another process, by a TypeError."""
    try:
        ForkingPickler.dumps(runtime)
    except Exception as error:  # whatever its __reduce__ raises
        message = (
            f"expected a runtime that can be sent to a process of its own (got {name}: {error}); define "
            "its class at the top of a module, name it by an entry point in the group softops.runtimes "
            '("module:attribute"), or leave out time_limit, which keeps it in this process'
        )
        raise TypeError(message) from error


def _serve(pipe: Connection, make: Callable[..., Answer], given: tuple[Any, ...]) -> None:
    """Answer requests until the other side is gone."""
    answer: Answer | None = None
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        try:
            answer = answer or make(*given)
            pipe.send(("", answer(request)))
        except BrokenPipeError:  # nobody is left to answer to
            return
        except Exception as error:  # whose class may not be known on the other side
            pipe.send((type(error).__name__, (str(error), getattr(error, "detail", ""))))
