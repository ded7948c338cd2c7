"""softops itself."""

from functools import partial
from typing import Any

import numba

from softops import numba_kernels

from ..workloads import DTYPES, Inputs, Workload, aligned_empty
from .peer import Peer, Prepared, returning


class Softops(Peer):
    """The kernels under test."""

    name = "softops"
    distribution = "softops"
    module = "softops.numba_kernels"
    output = "`out=`; `cross_entropy` returns a number"

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared:
        """Raises TypeError, from the kernel itself, for a dtype that it does not take."""
        numba.set_num_threads(threads)
        function: Any = getattr(numba_kernels, workload.operator)
        axis, x = workload.axis, inputs.x
        if workload.operator == "cross_entropy":
            prepared = returning(partial(function, x, inputs.labels, axis=axis), lambda result: result)
        else:
            shape = workload.rows_shape if workload.operator == "logsumexp" else workload.shape
            out = aligned_empty(shape, DTYPES[workload.dtype])
            match workload.operator:
                case "sigmoid" | "log_sigmoid" | "softplus":
                    call = partial(function, x, out=out)
                case "softmax_grad":
                    call = partial(function, inputs.dy, inputs.y, axis, out=out)
                case _:
                    call = partial(function, x, axis, out=out)
            prepared = Prepared(call, lambda: out)
        prepared.call()
        return prepared
