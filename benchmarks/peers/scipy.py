"""SciPy."""

from ..workloads import Inputs, Workload, aligned_empty
from .peer import Peer, Prepared, returning


class SciPy(Peer):
    """`scipy.special`: one thread whatever is asked for."""

    name = "SciPy"
    distribution = "scipy"
    module = "scipy.special"
    output = (
        "allocated by each call, except sigmoid (`expit(out=)`); one thread; neither in place nor bfloat16"
    )

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`."""
        special = self.library()
        axis, x = workload.axis, inputs.x
        if workload.dtype == "bfloat16" or workload.in_place:
            return None
        if workload.operator == "sigmoid":
            out = aligned_empty(x.shape, x.dtype)
            return Prepared(lambda: special.expit(x, out=out), lambda: out)
        calls = {
            "softmax": lambda: special.softmax(x, axis=axis),
            "log_softmax": lambda: special.log_softmax(x, axis=axis),
            "logsumexp": lambda: special.logsumexp(x, axis=axis),
            "log_sigmoid": lambda: special.log_expit(x),
        }
        if hasattr(special, "softplus"):
            calls["softplus"] = lambda: special.softplus(x)
        call = calls.get(workload.operator)
        return call and returning(call, lambda y: y)
