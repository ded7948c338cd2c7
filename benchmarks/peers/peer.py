"""What a library must offer to be timed."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..workloads import Array, Inputs, Workload


@dataclass(frozen=True)
class Prepared:
    """One call to time, and where its result lies once it has run."""

    call: Callable[[], Any]
    result: Callable[[], Any]


class Peer(ABC):
    """A library that computes workloads."""

    name: str
    distribution: str
    module: str
    output: str  # for the page: where results are written

    def available(self) -> bool:
        """Whether the library is there and can be imported."""
        try:
            self.library()
        except ImportError:
            return False
        return True

    def library(self) -> Any:
        """The library's module, imported when it is first wanted."""
        return importlib.import_module(self.module)

    @property
    def version(self) -> str:
        """The installed version."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return str(self.library().__version__)

    @abstractmethod
    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """Everything but the call itself, done; None where the library has no such operator for the dtype."""


def returning(call: Callable[[], Any], convert: Callable[[Any], Array]) -> Prepared:
    """A call that allocates its result."""
    return Prepared(call, lambda: convert(call()))
