"""Tells whether a runtime computes the softmax family right."""

from .judge import Step
from .metrics import OutputReport
from .record import Report
from .runtimes import ModelNotRunError, Runtime, RuntimeNotInstalledError, UnknownRuntimeError, runtimes
from .ulp import ulp_distance, ulp_error
from .validate import validate

__all__ = [
    "ModelNotRunError",
    "OutputReport",
    "Report",
    "Runtime",
    "RuntimeNotInstalledError",
    "Step",
    "UnknownRuntimeError",
    "runtimes",
    "ulp_distance",
    "ulp_error",
    "validate",
]
