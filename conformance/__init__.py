"""Tells whether a runtime computes the softmax family right."""

from typing import TYPE_CHECKING

from .cases.case import Case
from .errors import ModelNotRunError, RuntimeNotInstalledError, RuntimeUnusableError, UnknownRuntimeError
from .evaluation.evaluation import Evaluation, evaluate
from .measure.metrics import OutputReport
from .measure.ulp import ulp_distance, ulp_error
from .models.compared import Comparison, Pair
from .models.comparison import compare_runtimes
from .models.noise import noise
from .models.outputs import compare_outputs
from .models.report import Report
from .models.validate import validate
from .rounding.judgement import Judgement
from .rounding.outputs_report import JudgedTensor, OutputsReport
from .rounding.report import NodeNoise, NoiseReport
from .rounding.tensor_noise import LabelNoise, TensorNoise
from .runtimes.names import runtimes
from .runtimes.protocol import Runtime
from .steps.step import Step
from .suite.report import SuiteReport
from .suite.suite import run
from .verdicts.cause import Cause
from .verdicts.record import CaseRecord

__version__: str

__all__ = [
    "Case",
    "CaseRecord",
    "Cause",
    "Comparison",
    "Evaluation",
    "JudgedTensor",
    "Judgement",
    "LabelNoise",
    "ModelNotRunError",
    "NodeNoise",
    "NoiseReport",
    "OutputReport",
    "OutputsReport",
    "Pair",
    "Report",
    "Runtime",
    "RuntimeNotInstalledError",
    "RuntimeUnusableError",
    "Step",
    "SuiteReport",
    "TensorNoise",
    "UnknownRuntimeError",
    "compare_outputs",
    "compare_runtimes",
    "evaluate",
    "noise",
    "run",
    "runtimes",
    "ulp_distance",
    "ulp_error",
    "validate",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """Give the version of softops, looked up when it is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            return version("softops")
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
