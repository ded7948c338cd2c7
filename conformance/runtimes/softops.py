"""Our own backend as a runtime."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from softops.opset import ModelSource
from softops.opset.backend.plan import Watch

from ..errors import ModelNotSupportedError
from ..measure.precision import OWN
from .loading import in_memory
from .options import options_of
from .protocol import LoadingRuntime, Run


class SoftopsRuntime(LoadingRuntime):
    """
    Our own backend; ``watch`` is told of the progress of each run, node by node.

    Where it is what others are compared with, no nodes are computed as one: ``fuse=False``.
    """

    name = "softops"
    computes_in = OWN

    def __init__(self, watch: Watch | None = None, *, fuse: bool = True) -> None:
        self.version = version("softops")
        self._watch, self._fuse = watch, fuse

    def load(self, model: bytes) -> Run:
        """Prepare the model and return what runs it."""
        return self.prepared(model)

    def load_beside(self, model: bytes, folder: Path) -> Run:
        """Prepare a model whose tensors lie in files."""
        return self.prepared(in_memory(model, folder))

    def prepared(self, model: ModelSource, *, check: bool = True) -> Run:
        """Prepare a model, whole and in any form; ``check`` as for `softops.opset.backend.prepare`."""
        from softops.opset import UnsupportedModelError
        from softops.opset.backend import prepare

        try:
            prepared = prepare(model, check=check, fuse=self._fuse)
        except UnsupportedModelError as error:
            raise ModelNotSupportedError(str(error)) from error
        return lambda feeds: list(prepared.run(dict(feeds), watch=self._watch))


def from_options(options: str) -> SoftopsRuntime:
    """Make the runtime; it has no options."""
    options_of("softops", options, {})
    return SoftopsRuntime()
