"""PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..workloads import Array, Inputs, Workload, aligned_copy
from .peer import Peer, Prepared, returning


class Torch(Peer):
    """Eager PyTorch on the same memory, without autograd."""

    name = "torch"
    distribution = "torch"
    module = "torch"
    output = (
        "`out=`, in place the input itself; `cross_entropy` returns a number; hardmax is argmax, zero and scatter "
        "into given tensors"
    )

    def _tensor(self, array: Array) -> Any:
        torch = self.library()
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`."""
        torch = self.library()
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        axis = workload.positive_axis
        x = self._tensor(aligned_copy(inputs.x, inputs.x.dtype) if workload.in_place else inputs.x)
        shape = workload.rows_shape if workload.operator == "logsumexp" else workload.shape
        out = x if workload.in_place else torch.empty(shape, dtype=x.dtype)

        def result() -> Array:
            # float32 holds every half exactly, and NumPy has no bfloat16 for torch to hand over
            wide = out.float() if x.dtype in (torch.float16, torch.bfloat16) else out
            array: Array = wide.numpy()
            return array

        def hardmax() -> None:
            torch.argmax(x, axis, keepdim=True, out=index)
            out.zero_().scatter_(axis, index, 1.0)

        calls: dict[str, Callable[[], Any]] = {
            "softmax": lambda: torch.softmax(x, axis, out=out),
            "log_softmax": lambda: torch.log_softmax(x, axis, out=out),
            "sigmoid": lambda: torch.sigmoid(x, out=out),
            "log_sigmoid": lambda: torch.ops.aten.log_sigmoid.out(x, out=out),
            "softplus": lambda: torch.ops.aten.softplus.out(x, out=out),
            "logsumexp": lambda: torch.logsumexp(x, axis, out=out),
            "hardmax": hardmax,
            "softmax_grad": lambda: backward(dy, y, axis, x.dtype, grad_input=out),
        }
        if workload.operator == "hardmax":
            index = torch.argmax(x, axis, keepdim=True)
        if workload.operator == "softmax_grad":
            dy, y = self._tensor(inputs.dy), self._tensor(inputs.y)
            backward = torch.ops.aten._softmax_backward_data.out
        if workload.operator == "cross_entropy":
            labels, cross_entropy = torch.from_numpy(inputs.labels), torch.nn.functional.cross_entropy
            return returning(lambda: cross_entropy(x, labels), lambda loss: np.asarray(loss.double()))
        call = calls.get(workload.operator)
        return call and Prepared(call, result)
