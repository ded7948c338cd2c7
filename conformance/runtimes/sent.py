"""A runtime that is sent to a worker of Dask, and what arrives there."""

from __future__ import annotations

import pickle
import socket
from typing import NamedTuple

from ..errors import ModelNotRunError
from .names import get_runtime
from .protocol import Runtime, name_of, version_of


class Sent(NamedTuple):
    """A runtime's name with its options, or what cloudpickle makes of an object; what it is called, and its version."""

    content: str | bytes
    name: str
    version: str


def send(runtime: str | Runtime) -> Sent:
    """Return what can be sent; TypeError: an object cannot be pickled. Raises as `get_runtime`."""
    chosen = get_runtime(runtime)
    name = name_of(chosen)
    content = runtime if isinstance(runtime, str) else _pickled(runtime, name)
    return Sent(content, name, version_of(chosen))


def receive(sent: Sent) -> str | Runtime:
    """Return the name or the object; ModelNotRunError: it is not there, or in another version."""
    try:
        runtime = sent.content if isinstance(sent.content, str) else pickle.loads(sent.content)
        found = version_of(get_runtime(runtime))
    except Exception as error:  # a module that is missing here, whatever is imported with it
        message = (
            f"expected {sent.name} on every worker (got {type(error).__name__}: {error}, on {socket.gethostname()}); "
            "install it there"
        )
        raise ModelNotRunError(message) from error
    if found != sent.version:
        message = (
            f"expected {sent.name} {sent.version} on every worker (got {found} on {socket.gethostname()}); install "
            "one version everywhere"
        )
        raise ModelNotRunError(message)
    arrived: str | Runtime = runtime
    return arrived


def _pickled(runtime: Runtime, name: str) -> bytes:
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(runtime)
    except Exception as error:  # whatever its __reduce__ raises
        message = (
            f"expected a runtime that can be sent to a worker (got {name}: {error}); let it make what cannot be "
            "pickled when it loads a model, or name it by an entry point in the group softops.runtimes"
        )
        raise TypeError(message) from error
    return content
