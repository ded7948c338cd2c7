"""
Linear layers of constant weights, by the block product, and what follows them along the classes.

MatMul, with a bias added or not, or Gemm; a scale of one number; Softmax, LogSoftmax, ArgMax or TopK.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..graph.scopes import Scope
from ..operators.products import product as by_blas
from ..operators.table import operator
from .fusion import Finding, Fusion, NearMiss, fused, in_order
from .kernels import kernels, layer_product
from .reading import attribute, constant_shape, made_by
from .scores import Scores, multiplied, scores_at
from .softmax import Normalized, softmax_node

Array = NDArray[Any]

_DTYPES = frozenset((np.dtype(np.float32), np.dtype(np.float64)))

# For fewer rows most lanes of the block product are idle.
_FEWEST_ROWS = 3
# For fewer products a call of BLAS is shorter, of one row while no threads pay.
_LEAST_WORK, _LEAST_OF_ONE = 1 << 17, 1 << 20


class Layer(NamedTuple):
    """The names of x (…, features), the weight (features, classes) or turned, and the bias or ``""``; its nodes."""

    x: str
    weight: str
    bias: str
    turned: bool
    nodes: tuple[NodeProto, ...]


def find_linear(root: NodeProto, scope: Scope) -> Finding:
    """A product with a constant weight, and with the constant bias that is added."""
    layer: Layer | None = None
    if made_by(root.output[0], scope, "Gemm") is not None:
        layer = _of_gemm(root, (root,), scope)
    elif made_by(root.output[0], scope, "MatMul") is not None:
        readers = scope.consumers.get(root.output[0], [])
        if not any(_added(reader, root, scope) for reader in readers):
            layer = _of_matmul(root, "", (root,), scope)
    elif made_by(root.output[0], scope, "Add") is not None:
        for product, bias in zip(root.input, root.input[::-1], strict=True):
            made = made_by(product, scope, "MatMul")
            layer = layer or (None if made is None else _of_matmul(made, bias, (made, root), scope))
    if layer is None:
        return None
    turned = layer.turned
    return _fusion(
        "linear", layer, (), lambda x, w, b=None: linear(x, w if turned else w.T, b), layer.nodes, scope
    )


def _added(reader: NodeProto, product: NodeProto, scope: Scope) -> bool:
    """Whether a node adds a constant vector to a product."""
    if not reader.output or made_by(reader.output[0], scope, "Add") is None:
        return False
    other = [name for name in reader.input if name != product.output[0]]
    return len(other) == 1 and _is_row(constant_shape(other[0], scope))


def _is_row(shape: tuple[int, ...] | None) -> bool:
    """Whether it is the shape of a vector, or of a matrix with one row."""
    return shape is not None and (len(shape) == 1 or (len(shape) == 2 and shape[0] == 1))


def find_linear_head(root: NodeProto, scope: Scope) -> Finding:
    """A linear layer whose classes a Softmax, LogSoftmax, ArgMax or TopK goes along."""
    if made_by(root.output[0], scope, "Softmax", "LogSoftmax", "ArgMax", "TopK") is None:
        return None
    found = scores_at(root.input[0], scope, ("MatMul", "Gemm"))
    layer = _layer(found, scope)
    if layer is None or not layer.bias:
        return None
    kind = f"linear {root.op_type}"
    nodes = (*found.nodes, root)
    softmax = softmax_node(root, scope)
    reason = softmax.not_last(scope) if softmax is not None else None
    if reason is not None:
        return NearMiss(kind, in_order(nodes, scope), reason)
    finish = _along(softmax) if softmax is not None else _decision(root, scope)
    more = tuple(root.input[1:])
    divides = tuple(scale.divides for scale in found.scales)

    def run(x: Array, weight: Array, bias: Array, *others: Array) -> Any:
        scores = linear(x, weight if layer.turned else weight.T, bias)
        factor = multiplied(others[: len(divides)], divides, x.dtype)
        if scores is None or factor is None:
            return None
        if factor != 1:
            scores *= scores.dtype.type(factor)
        return finish(scores, *others[len(divides) :])

    return _fusion(kind, layer, (*(scale.name for scale in found.scales), *more), run, nodes, scope)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array | None:
    """x @ weight.T + bias, rows of weight contiguous; None for arrays that the nodes work on by themselves."""
    dtype, features = x.dtype, x.shape[-1] if x.ndim else 0
    classes = len(weight)
    if (
        x.ndim < 2
        or dtype not in _DTYPES
        or weight.dtype != dtype
        or weight.shape != (classes, features)
        or (bias is not None and (bias.dtype != dtype or bias.shape not in ((classes,), (1, classes))))
        or not features
    ):
        return None
    rows = x.size // features
    flat = x if x.ndim == 2 else np.ascontiguousarray(x).reshape(rows, features)
    work = rows * features * classes
    if work < (_LEAST_WORK if rows > 1 else _LEAST_OF_ONE) or weight.strides[1] != weight.itemsize:
        scores = flat.dot(weight.T) if bias is None else by_blas(flat, weight.T, bias, ())
    else:
        added = np.zeros(classes, dtype) if bias is None else np.ascontiguousarray(bias).reshape(classes)
        few = rows < _FEWEST_ROWS
        scores = layer_product(np.ascontiguousarray(flat), weight, added, x.shape[:-1], few_rows=few)
    return scores if x.ndim == 2 else scores.reshape(*x.shape[:-1], classes)


def _layer(found: Scores, scope: Scope) -> Layer | None:
    """The layer that gives the scores, if they are only scaled behind it."""
    product, masks = found.product, found.masks
    if product is None or found.capped or found.widened or "mask" in found.order[1:]:
        return None
    nodes = tuple(found.nodes)
    if product.op_type == "MatMul":  # the bias is what is added first
        return (
            _of_matmul(product, masks[0].name, nodes, scope)
            if len(masks) == 1 and masks[0].how == "add"
            else None
        )
    return None if masks else _of_gemm(product, nodes, scope)


def _of_gemm(product: NodeProto, nodes: tuple[NodeProto, ...], scope: Scope) -> Layer | None:
    factors = [attribute(product, name, 1.0) for name in ("alpha", "beta")]
    turned = attribute(product, "transB", 0)
    if factors != [1.0, 1.0] or attribute(product, "transA", 0) != 0 or turned is None:
        return None
    x, weight, bias = (*product.input, "")[:3]
    layer = Layer(x, weight, bias, bool(turned), nodes)
    return layer if _is_constant(layer, scope) else None


def _of_matmul(product: NodeProto, bias: str, nodes: tuple[NodeProto, ...], scope: Scope) -> Layer | None:
    layer = Layer(product.input[0], product.input[1], bias, False, nodes)
    return layer if _is_constant(layer, scope) else None


def _is_constant(layer: Layer, scope: Scope) -> bool:
    weight = constant_shape(layer.weight, scope)
    bias = not layer.bias or _is_row(constant_shape(layer.bias, scope))
    return weight is not None and len(weight) == 2 and bias


def _fusion(
    kind: str,
    layer: Layer,
    others: tuple[str, ...],
    run: Callable[..., Any],
    nodes: tuple[NodeProto, ...],
    scope: Scope,
) -> Finding:
    found = fused(kind, nodes, (layer.x, layer.weight, *filter(None, [layer.bias]), *others), run, scope)
    # The product reads the weights of a class one after another.
    return (
        replace(found, columns=(layer.weight,)) if isinstance(found, Fusion) and not layer.turned else found
    )


def _along(softmax: Normalized) -> Callable[[Array], Array | None]:
    """The softmax, in place."""
    kernel = getattr(kernels(), softmax.kernel)

    def finish(scores: Array) -> Array | None:
        last = scores.ndim - 1
        y: Array | None = kernel(scores, -1, out=scores) if softmax.axis(scores.ndim) == last else None
        return y

    return finish


def _decision(root: NodeProto, scope: Scope) -> Callable[..., Any]:
    """What ArgMax and TopK do, by their rows of the table."""
    names = ("axis", "keepdims", "select_last_index", "k", "largest", "sorted")
    given = {name: value for name in names if (value := attribute(root, name, None)) is not None}
    many = root.op_type == "TopK"
    decide = operator(root.op_type, scope.opset).bound(given, outputs=len(root.output))

    def finish(scores: Array, *k: Array) -> Any:
        try:
            made = decide(scores, *k)
        except (TypeError, ValueError):  # the nodes say it in their own names
            return None
        return made if many else made[0]

    return finish
