"""softops itself."""

from functools import partial
from typing import Any

import numba

from softops import numba_kernels

from ..workloads import Inputs, Workload, place
from .peer import Peer, Prepared, returning


class Softops(Peer):
    """The kernels under test."""

    name = "softops"
    distribution = "softops"
    module = "softops.numba_kernels"
    output = "`out=`, in place the input itself; `cross_entropy` returns a number"

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared:
        """See `Peer.prepare`; the first call raises TypeError for a dtype that the kernel does not take."""
        numba.set_num_threads(threads)
        function: Any = getattr(numba_kernels, workload.operator)
        axis = workload.axis
        if workload.operator == "cross_entropy":
            return returning(partial(function, inputs.x, inputs.labels, axis=axis), lambda result: result)
        shape = workload.rows_shape if workload.operator == "logsumexp" else workload.shape
        x, out = place(workload, inputs.x, shape)
        match workload.operator:
            case "sigmoid" | "log_sigmoid" | "softplus":
                call = partial(function, x, out=out)
            case "softmax_grad":
                call = partial(function, inputs.dy, inputs.y, axis, out=out)
            case _:
                call = partial(function, x, axis, out=out)
        return Prepared(call, lambda: out)
