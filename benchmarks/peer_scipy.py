"""SciPy."""

from .peer import Peer, Prepared, returning
from .workloads import Inputs, Workload, aligned_empty


class SciPy(Peer):
    """`scipy.special`: one thread whatever is asked for."""

    name = "SciPy"
    distribution = "scipy"
    module = "scipy.special"
    output = "allocated by each call, except sigmoid (`expit(out=)`); one thread; bfloat16 is not taken"

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`."""
        special = self.library()
        axis, x = workload.axis, inputs.x
        if workload.dtype == "bfloat16":
            return None
        match workload.operator:
            case "softmax":
                return returning(lambda: special.softmax(x, axis=axis), lambda y: y)
            case "log_softmax":
                return returning(lambda: special.log_softmax(x, axis=axis), lambda y: y)
            case "logsumexp":
                return returning(lambda: special.logsumexp(x, axis=axis), lambda y: y)
            case "sigmoid":
                out = aligned_empty(x.shape, x.dtype)
                return Prepared(lambda: special.expit(x, out=out), lambda: out)
        return None
