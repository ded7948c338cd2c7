"""A plan while it is made, and what names stand for meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import ModelError
from ..graph.functions import Library
from ..graph.scopes import Scope
from ..nodes.node import Value
from .plan import LEFT_OUT, Slot, Step


class Draft:
    """
    The slots and steps of a plan.

    Attributes
    ----------
    template
        What the slots hold before the first step: constants, and None.
    constants
        Those whose value no caller can change.
    captured
        The slots of values from around the graph: for one of the draft around this one the slot here.
    steps
        The steps so far.
    """

    def __init__(self) -> None:
        self.template: list[Value] = [None]
        self.constants: dict[Slot, Value] = {}
        self.captured: dict[Slot, Slot] = {}
        self.steps: list[Step] = []

    def slot(self, value: Value = None) -> Slot:
        """A new slot."""
        self.template.append(value)
        return len(self.template) - 1

    def fix(self, value: Value) -> Slot:
        """A new slot of a constant."""
        slot = self.slot(value)
        self.constants[slot] = value
        return slot

    def lay_out_by_columns(self, slot: Slot) -> None:
        """Have a constant matrix lie column by column, for all that read it."""
        value = self.constants.get(slot)
        if isinstance(value, np.ndarray) and value.ndim == 2:
            self.constants[slot] = self.template[slot] = np.asfortranarray(value)

    def capture(self, outside: Slot, constant: Value) -> Slot:
        """The slot of a value from around this graph; a constant is one here too."""
        if constant is not None:
            return self.fix(constant)
        if outside not in self.captured:
            self.captured[outside] = self.slot()
        return self.captured[outside]


@dataclass
class Environment:
    """Where a node's names are looked up, and what its operators and functions mean."""

    draft: Draft
    opsets: dict[str, int]
    library: Library
    outer: Environment | None = None
    """That of the node whose graph this is."""
    scope: Scope | None = None
    """What is known of the names, where nodes may be fused."""
    slots: dict[str, Slot] = field(default_factory=dict)

    def find(self, name: str, reader: str) -> Slot:
        """The slot of a value that is read."""
        if not name:
            return LEFT_OUT
        found = self._look_up(name)
        if found is None:
            message = (
                f"expected a value named {name!r} before {reader} reads it (got none: nothing makes it, or only "
                "a later node does, or nodes wait for each other in a circle); sort the nodes, or export again"
            )
            raise ModelError(message)
        return found

    def _look_up(self, name: str) -> Slot | None:
        if name not in self.slots and self.outer is not None:
            outside = self.outer._look_up(name)
            if outside is not None:
                self.slots[name] = self.draft.capture(outside, self.outer.draft.constants.get(outside))
        return self.slots.get(name)

    def initialize(self, name: str, value: Value) -> None:
        """Take the value of an initializer."""
        if name in self.slots:  # an input too, which may be given
            self.draft.template[self.slots[name]] = value
        else:
            self.slots[name] = self.draft.fix(value)
