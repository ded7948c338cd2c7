"""JAX on the CPU."""

import importlib
import os
from typing import Any

import numpy as np

from ..workloads import Inputs, Workload
from .peer import Peer, Prepared, returning


def _in_place(function: Any, x: Any) -> Prepared:
    """Calls of a function that is given the memory of its input, each on what the one before returned."""
    kept = [x]

    def call() -> None:
        kept[0] = function(kept[0]).block_until_ready()

    return Prepared(call, lambda: np.array(kept[0]))


class Jax(Peer):
    """Functions compiled by XLA, waited for."""

    name = "JAX"
    distribution = "jax"
    module = "jax"
    output = (
        "allocated by each call (XLA takes no output array), in place a donated input; its threads are those of a "
        "client started anew"
    )

    def __init__(self) -> None:
        self._threads: int | None = None

    def _use(self, threads: int) -> Any:
        """JAX with a client of so many threads: their number is read when a client starts, from the environment."""
        jax = self.library()
        if self._threads != threads:
            before = os.environ.get("PJRT_NPROC")
            os.environ["PJRT_NPROC"] = str(threads)
            try:
                jax.config.update("jax_platforms", "cpu")
                jax.config.update("jax_enable_x64", True)
                importlib.import_module("jax.extend.backend").clear_backends()
                jax.clear_caches()
                jax.devices()
            finally:
                del os.environ["PJRT_NPROC"]
                if before is not None:
                    os.environ["PJRT_NPROC"] = before
            self._threads = threads
        return jax

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`."""
        jax = self._use(threads)
        jnp, nn, axis = jax.numpy, jax.nn, workload.positive_axis
        arguments = [inputs.x]

        def hardmax(x: Any) -> Any:
            return nn.one_hot(jnp.argmax(x, axis), x.shape[axis], dtype=x.dtype, axis=axis)

        def cross_entropy(x: Any, labels: Any) -> Any:
            chosen = jnp.take_along_axis(nn.log_softmax(x, axis), labels[:, None], axis)
            return -jnp.mean(chosen)

        def softmax_grad(dy: Any, y: Any) -> Any:
            return y * (dy - jnp.sum(dy * y, axis, keepdims=True))

        functions: dict[str, Any] = {
            "softmax": lambda x: nn.softmax(x, axis),
            "log_softmax": lambda x: nn.log_softmax(x, axis),
            "logsumexp": lambda x: nn.logsumexp(x, axis),
            "sigmoid": nn.sigmoid,
            "hardmax": hardmax,
            "cross_entropy": cross_entropy,
            "softmax_grad": softmax_grad,
        }
        if workload.operator not in functions:
            return None
        if workload.operator == "cross_entropy":
            arguments = [inputs.x, inputs.labels]
        if workload.operator == "softmax_grad":
            arguments = [inputs.dy, inputs.y]
        if workload.in_place:
            return _in_place(jax.jit(functions[workload.operator], donate_argnums=0), jnp.array(inputs.x))
        function = jax.jit(functions[workload.operator])
        given = [jnp.asarray(array) for array in arguments]
        return returning(lambda: function(*given).block_until_ready(), np.asarray)
