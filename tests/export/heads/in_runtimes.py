"""The outputs of a model, in order, in the runtimes that heads are tried in."""

import onnxruntime

from softops.opset.backend import prepare


def in_onnxruntime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)


def in_softops(model, feeds):
    return prepare(model).run(feeds)
