"""
A model at another opset of ai.onnx, with the meaning it had.

onnx's own version converter takes a whole model, and loses of it what its intermediate form does not hold:
model-local functions, metadata, names. Here the model stays as it is and only nodes are replaced:

- Softmax, LogSoftmax and Hardmax by `convert_axis`;
- a node whose two texts say the same keeps its form (`schemas.stays`): so a model can cross from 13 to 12,
  for which onnx's converter has next to no rules;
- any other goes through onnx's converter alone (`convert_by_onnx`).
"""

from __future__ import annotations

from copy import deepcopy

import onnx
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

from ..errors import ModelError, UnsupportedModelError, one_line
from ..graph.checker import checkable, kept_outside
from ..graph.domains import DOMAINS, IR_WITH_PLAIN_INITIALIZERS, imported_opset
from ..graph.functions import Library, called_function, functions_by_key
from ..graph.inference import infer_types
from ..graph.model import ModelSource, load_model
from ..graph.names import Names, names_of
from ..graph.scopes import Scope
from ..graph.tensors import constant_tensor
from ..graph.walk import Body, bodies_in, remove_named, training_graphs
from .axis import SINGLE_SINCE
from .functions import inline_axes
from .ir_version import fit_ir_version, fits
from .nodes import convert_node
from .step import Step
from .target import Target, checked_opset, opset_of, read_target


def convert_version(
    model: ModelSource,
    target_opset: int | None = None,
    *,
    ir_version: int | None = None,
    for_runtime: str | None = None,
) -> onnx.ModelProto:
    """
    Convert a model to another opset of ai.onnx.

    The result computes what the model computes. Softmax, LogSoftmax and Hardmax, whose axis means something
    else since opset 13, are rewritten with the fewest nodes that keep the meaning, in both directions, for
    known and unknown shapes, in subgraphs and in model-local functions. All other operators stay as they are where
    both texts say the same, take the form that an older opset has for the same (bounds of a Clip as attributes, a
    Resize as an Upsample, the function that ONNX defines a HardSwish by), or are left to `onnx.version_converter`,
    one node at a time. Names,
    initializers, functions, metadata, doc strings, inputs, outputs and other domains' opsets stay.

    Parameters
    ----------
    model
        Path of an ``.onnx`` file (its external data is read as well), its bytes, or a ``ModelProto``, which
        is not changed.
    target_opset
        Version of ai.onnx, 1 to the newest that the installed onnx knows. By default the model's own, or the
        newest that ``for_runtime`` reads if that is lower.
    ir_version
        The IR version to write, 3 to the newest that the installed onnx knows. By default, going up, the lowest
        that the opset allows, or the model's own if that is higher; going down, the lowest that the opset and
        the content allow; and none that ``for_runtime`` does not read.
    for_runtime
        A release that shall read the model, such as ``"onnxruntime==1.17"``; ``"onnxruntime"`` is the installed one.

    Returns
    -------
    onnx.ModelProto
        A new model; the model itself where it is at the target already.

    Raises
    ------
    ModelError
        Not a model, not a valid one, or one whose external data is not at hand.
    UnsupportedModelError
        A node has no equivalent at the target, or none that is known here.
        So is what the model holds at the IR version, or ai.onnx.ml in the release.
    UnknownOpsetError
        The target, or the opset of the model, is none that the installed onnx knows.
    TypeError
        The target is not an integer, or there is none.
    ValueError, LookupError
        An IR version that there is not, a target that the release does not read, or no known release.

    Notes
    -----
    Below opset 11 no text says what a negative axis of Softmax is; it is taken as counted from the end, as
    onnxruntime takes it, and written only where the rank is unknown. Below opset 14 a Reshape to a computed
    shape cannot tell a length of 0 from "copy": an empty tensor of unknown rank, or with two unknown
    dimensions, may then be refused by the runtime.

    Sources: ``ai.onnx@1::Softmax``, ``@11``, ``@13`` and its siblings; ``onnx.defs`` for all others.

    Examples
    --------
    >>> from onnx import parser
    >>> model = parser.parse_model('''<ir_version: 7, opset_import: ["": 11]>
    ... net (float[N, 8] x) => (float[N, 8] y) { y = Softmax <axis = 1> (x) }''')
    >>> converted = convert_version(model, 17)
    >>> converted.opset_import[0].version, [node.op_type for node in converted.graph.node]
    (17, ['Softmax'])
    """
    loaded = load_model(model)
    target = read_target(loaded, target_opset, ir_version, for_runtime)
    return converted(loaded, target, own=not isinstance(model, onnx.ModelProto))


def converted(model: onnx.ModelProto, wanted: Target, *, own: bool) -> onnx.ModelProto:
    """As `convert_version`, of a loaded model, changed in place if it is our ``own``; tensors in files stay there."""
    target, source = wanted.opset, opset_of(model)
    versions = {source, *filter(None, (imported_opset(function) for function in model.functions))}
    if versions == {target} and fits(model, wanted):
        return model
    if not own:
        model = deepcopy(model)
    with kept_outside(model):
        _check(model, "expected a valid model (onnx.checker: {}); export it again", ModelError)
        if target < SINGLE_SINCE <= source:
            inline_axes(model)
        _convert(model, source, target)
        fit_ir_version(model, wanted, lower=target < source, raised=versions != {target})
        _check(
            model,
            f"expected a model that opset {target} can say (onnx.checker of the result: {{}}); "
            "choose another target",
            UnsupportedModelError,
        )
    return model


def _convert(model: onnx.ModelProto, source: int, target: int) -> None:
    library = functions_by_key(model.functions)
    inferred = _inferred(model)
    graph = Scope(
        model.graph,
        {"": source},
        typed=inferred.graph,
        overridable=model.ir_version >= IR_WITH_PLAIN_INITIALIZERS,
        names=Names(names_of(model)),
    )
    roots = [graph]
    for body, typed in zip(training_graphs(model), training_graphs(inferred), strict=True):
        roots.append(Scope(body, {"": source}, typed=typed, parent=graph))
    for function in model.functions:
        version = imported_opset(function)
        if version is not None:
            opsets = {"": checked_opset(version, f"the function {function.name}")}
            roots.append(Scope(function, opsets, names=graph.names))
    for scope in roots:
        released: set[str] = set()
        if scope.opset != target:
            _convert_body(scope, library, target, released)
            _drop_released(scope.body, released)
    for holder in (model, *model.functions):
        for entry in holder.opset_import:
            if entry.domain in DOMAINS:
                entry.version = target


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the types of the values in between, as far as they can be inferred."""
    try:
        return infer_types(model)
    except (
        ModelError
    ):  # what is wrong with the model is for the checker to say; types are then those it names
        return model


def _convert_body(scope: Scope, library: Library, target: int, released: set[str]) -> None:
    nodes: list[onnx.NodeProto] = []
    for node in scope.nodes:
        for inner in scope.subscopes(node):
            _convert_body(inner, library, target, released)
        if node.domain in DOMAINS and called_function(node, library, scope.opset) is None:
            nodes += convert_node(Step(node, scope, scope.opset, target, released))
        else:
            nodes.append(node)
    del scope.body.node[:]
    scope.body.node.extend(nodes)


def _drop_released(root: Body, released: set[str]) -> None:
    """Take out the constants that became attributes, where nothing else reads them."""
    family = list(bodies_in(root)) if released else []
    read = {name for body in family for node in body.node for name in node.input}
    read |= {value if isinstance(value, str) else value.name for body in family for value in body.output}
    unread = released - read
    for body in family:
        for node in list(body.node):
            if constant_tensor(node) is not None and node.output[0] in unread:
                body.node.remove(node)
        if isinstance(body, onnx.GraphProto):
            gone = unread.intersection(tensor.name for tensor in body.initializer)
            remove_named(body.initializer, gone)
            remove_named(body.input, gone)


def _check(model: onnx.ModelProto, message: str, error_type: type[ModelError]) -> None:
    try:
        onnx.checker.check_model(checkable(model, mixed_opsets=True))
    except (onnx.checker.ValidationError, EncodeError, ValueError) as error:
        raise error_type(message.format(one_line(error))) from error
