"""A right runtime for models of one node, into which faults are planted."""

import os
import time

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

from softops import conformance
from softops.conformance.errors import ModelNotSupportedError
from softops.conformance.runtimes.softops import SoftopsRuntime
from softops.opset.operators.table import is_known, operator


class Planted:
    """
    The oracle as a runtime; ``faults`` take its place by operator.

    A fault is a function of (x, node), the node with ``inputs``, ``attributes``, ``opset``, ``axis`` and
    ``right()``, which gives the right outputs; it gives the first output.
    """

    def __init__(self, **faults):
        self._faults = faults

    def supports(self, op, opset, dtype):
        return None

    def run(self, model, feeds):
        proto = onnx.load_from_string(model)
        first = proto.graph.node[0]
        if len(proto.graph.node) > 1 or proto.functions or not is_known(first.op_type, first.domain):
            message = "single nodes only"
            raise ModelNotSupportedError(message)
        node = Node(proto, feeds)
        fault = self._faults.get(node.op)
        with np.errstate(all="ignore"):
            if fault is None:
                return node.right()
            outputs = fault(node.inputs[0], node)
        return outputs if isinstance(outputs, list) else [outputs, *node.right()[1:]]


def is_trivial(proto):
    """Whether it is a model that the suite asks for to see whether a runtime can run anything."""
    return proto.graph.name == "trivial"


def check_caught(fault, outcomes, **choice):
    """
    Run a fault and return the report; the failures are of these outcomes alone.

    A fault is (operator, its fault, the verdict that should catch it, dtypes).
    """
    op, function, verdict, dtypes = fault
    report = conformance.run(Planted(**{op: function}), ops=[op], dtypes=dtypes, **choice)
    assert not report.passed
    assert {record.outcome for record in report.unexpected} <= outcomes, report.unexpected[0].message
    assert verdict in {check.name for record in report.cases for check in record.checks if not check.passed}
    return report


class Rounded(SoftopsRuntime):
    """Ours, rounded to bfloat16 by its own choice, which it tells once a model is loaded, unless f32 is asked for."""

    name = "rounded"
    full_precision = "precision=f32"

    def __init__(self, precision="bf16", **faults):
        super().__init__()
        self.version = "1"
        self._precision, self._faults = precision, faults

    def configured(self, setting):
        return Rounded(setting.removeprefix("precision="), **self._faults)

    def load(self, model):
        run = super().load(model)
        fault = self._faults.get(onnx.load_from_string(model).graph.node[-1].op_type, lambda y: y)
        self.computes_in, self.runs_on = self._precision, "CPU"

        def rounded(y):
            coarse = y.dtype == np.float32 and self._precision == "bf16"
            return fault(y.astype(ml_dtypes.bfloat16).astype(y.dtype) if coarse else y)

        return lambda feeds: [rounded(y) for y in run(feeds)]


class Deadly(Planted):
    """Ends its process, hangs, or gives a right answer, by the number of rows."""

    def run(self, model, feeds):
        rows = len(feeds["input"])
        if rows == 2:
            os._exit(9)
        if rows == 3:
            time.sleep(60)
        return super().run(model, feeds)


class FailsLate(SoftopsRuntime):
    """Ours, until it is fed a row."""

    name = "fails late"

    def __init__(self, row):
        super().__init__()
        self._row = row

    def load(self, model):
        run = super().load(model)

        def fails(feeds):
            if any((array == self._row).all(-1).any() for array in feeds.values()):
                message = "too late"
                raise ValueError(message)
            return run(feeds)

        return fails


class Slow(Planted):
    """Takes its time for each run, and writes a line about it into a file."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def run(self, model, feeds):
        time.sleep(0.05)
        with open(self._path, "a") as file:
            file.write("run\n")
        return super().run(model, feeds)


class DiesOnArrival(Planted):
    """Cannot be made in another process, as an object of a notebook's class cannot."""

    def __reduce__(self):
        return os._exit, (3,)


class NoDevices:
    """An ONNX backend without a device, which says so at length."""

    said = "\n".join(["no usable devices", *(f"  {frame}: frame_{frame}" for frame in range(300))])

    @staticmethod
    def prepare(model, device):
        raise RuntimeError(NoDevices.said)


class DyingBackend:
    """An ONNX backend, right but for arrays of two rows, which end its process."""

    @staticmethod
    def prepare(model, device):
        return DyingBackend(model)

    def __init__(self, model):
        self._model = model

    def run(self, inputs):
        if len(inputs[0]) == 2:
            os._exit(9)
        names = [value.name for value in self._model.graph.input]
        return Planted().run(self._model.SerializeToString(), dict(zip(names, inputs, strict=True)))


class Node:
    def __init__(self, proto, feeds):
        node = proto.graph.node[0]
        self.op = node.op_type
        self.opset = next(entry.version for entry in proto.opset_import if entry.domain == node.domain)
        self.row = operator(node.op_type, self.opset, node.domain)
        self.inputs = [feeds[name] if name else None for name in node.input]
        self.attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        self._outputs = len(node.output)

    @property
    def axis(self):
        return self.attributes.get("axis", self.row.default_axis)

    def right(self, *inputs, **attributes):
        given = [*inputs, *self.inputs[len(inputs) :]]
        return list(self.row.evaluate(given, {**self.attributes, **attributes}, outputs=self._outputs))


def softmax(x, axis, kind=None):
    kind = kind or x.dtype
    e = np.exp(x - x.max(axis, keepdims=True)).astype(kind)
    return (e / e.sum(axis, keepdims=True, dtype=kind)).astype(x.dtype)


def along_row(function):
    """A function of (x, axis), under the row's own axis rule."""

    def fault(x, node):
        if node.row.axis_rule == "single":
            return function(x, node.axis)
        axis = node.axis % x.ndim
        return function(x.reshape(*x.shape[:axis], -1), axis).reshape(x.shape)

    return fault


def by_row(function):
    """A function of one row, under the row's own axis rule."""

    def fault(x, axis):
        return np.apply_along_axis(function, axis, x) if x.size else x.copy()

    return along_row(fault)


def after(change):
    """The right first output, changed."""

    def fault(x, node):
        outputs = node.right()
        return [change(outputs[0]), *outputs[1:]]

    return fault


class Partial:
    """A runtime, and an ONNX backend by ``prepare``, that says of Hardmax by NotImplementedError that it has none."""

    @staticmethod
    def prepare(model, device):
        return PartialModel(model)

    def run(self, model, feeds):
        return PartialModel(onnx.load_from_string(model)).run(list(feeds.values()))


class PartialModel:
    def __init__(self, model):
        self._model = model

    def run(self, inputs):
        if self._model.graph.node[0].op_type == "Hardmax":
            raise NotImplementedError
        names = [value.name for value in self._model.graph.input]
        return Planted().run(self._model.SerializeToString(), dict(zip(names, inputs, strict=True)))


def from_options(options):
    return Planted()
