"""Tells whether a runtime computes the softmax family right."""

from .case import Case
from .case_record import CaseRecord
from .comparison import Comparison, Pair, compare_runtimes
from .evaluation import Evaluation, evaluate
from .metrics import OutputReport
from .record import Report
from .runtimes import ModelNotRunError, Runtime, RuntimeNotInstalledError, UnknownRuntimeError, runtimes
from .step import Step
from .suite import run
from .suite_report import SuiteReport
from .ulp import ulp_distance, ulp_error
from .validate import validate

__all__ = [
    "Case",
    "CaseRecord",
    "Comparison",
    "Evaluation",
    "ModelNotRunError",
    "OutputReport",
    "Pair",
    "Report",
    "Runtime",
    "RuntimeNotInstalledError",
    "Step",
    "SuiteReport",
    "UnknownRuntimeError",
    "compare_runtimes",
    "evaluate",
    "run",
    "runtimes",
    "ulp_distance",
    "ulp_error",
    "validate",
]
