"""Decision trees laid out flat: which leaf of each tree a row of features comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nodes.arrays import Array

Places = NDArray[np.intp]
Doubles = NDArray[np.float64]

LEAF, MEMBER = "LEAF", "BRANCH_MEMBER"

_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal,
    "BRANCH_NEQ": np.not_equal,
}
MODES = (*_COMPARISONS, MEMBER)
"""As TreeEnsemble numbers them."""

_AT_A_TIME = 2**20
"""So many pairs of rows and trees go down at a time."""


@dataclass(frozen=True)
class Forest:
    """
    Nodes of all trees, each by its place; a leaf leads to itself.

    Attributes
    ----------
    modes
        The comparison at each node.
    features, splits
        What is compared with what; float64 holds every float32, so that comparisons are exact.
    if_true, if_false
        Where it goes on.
    if_missing
        Whether a NaN goes on where the comparison holds.
    roots
        Of each tree.
    members
        By node, the set of those that ask for membership.
    """

    modes: NDArray[np.str_]
    features: Places
    splits: Doubles
    if_true: Places
    if_false: Places
    if_missing: NDArray[np.bool_]
    roots: Places
    members: dict[int, Doubles]

    def leaves(self, x: Array) -> Places:
        """The leaf of each row in each tree, shape (N, trees), of features of shape (N, F)."""
        found = np.empty((len(x), len(self.roots)), np.intp)
        step = max(1, _AT_A_TIME // max(len(self.roots), 1))
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            found[part] = self._down(x[part].astype(np.float64))
        return found

    def _down(self, x: Doubles) -> Places:
        rows, _ = np.indices((len(x), len(self.roots)))
        rows, places = rows.ravel(), np.tile(self.roots, len(x))
        moving = np.flatnonzero(self.modes[places] != LEAF)
        for _ in range(len(self.modes)):
            if not moving.size:
                return places.reshape(len(x), -1)
            here = places[moving]
            value = x[rows[moving], self.features[here]]
            holds = np.where(np.isnan(value), self.if_missing[here], self._compared(here, value))
            places[moving] = np.where(holds, self.if_true[here], self.if_false[here])
            moving = moving[self.modes[places[moving]] != LEAF]
        if moving.size:
            message = "the trees lead back to a node above"
            raise ValueError(message)
        return places.reshape(len(x), -1)

    def _compared(self, here: Places, value: Doubles) -> NDArray[np.bool_]:
        result, modes = np.zeros(len(here), bool), self.modes[here]
        for mode, compare in _COMPARISONS.items():
            chosen = modes == mode
            if chosen.any():
                result[chosen] = compare(value[chosen], self.splits[here[chosen]])
        for node, members in self.members.items():
            chosen = here == node
            result[chosen] = np.isin(value[chosen], members)
        return result


@dataclass(frozen=True)
class Votes:
    """
    What the leaves say, sorted by leaf.

    Attributes
    ----------
    starts, counts
        For each node where its votes begin, and how many it has.
    targets, weights
        Of each vote.
    """

    starts: Places
    counts: Places
    targets: Places
    weights: Doubles

    def gathered(self, leaves: Places, targets: int, how: str) -> tuple[Doubles, NDArray[np.bool_]]:
        """
        Gather the votes of each row by target.

        Parameters
        ----------
        leaves
            Shape (N, trees).
        targets
            Their number, E.
        how
            "SUM", "AVERAGE" over the trees, "MIN" or "MAX".

        Returns
        -------
        ndarray
            Shape (N, E); 0 where no leaf has a vote.
        ndarray of bool
            Whether any has.
        """
        total, voted = np.zeros((len(leaves), targets)), np.zeros((len(leaves), targets), bool)
        everyone = np.arange(len(leaves))
        for tree in leaves.T:
            for k in range(self.counts[tree].max(initial=0)):
                rows = everyone[self.counts[tree] > k]
                vote = self.starts[tree[rows]] + k
                place = rows, self.targets[vote]
                weights = self.weights[vote]
                if how in ("MIN", "MAX"):
                    ufunc = np.minimum if how == "MIN" else np.maximum
                    weights = np.where(voted[place], ufunc(total[place], weights), weights)
                    total[place] = weights
                else:
                    total[place] += weights
                voted[place] = True
        return total / leaves.shape[1] if how == "AVERAGE" else total, voted


def votes_of(nodes: int, leaves: Places, targets: Sequence[int], weights: Any) -> Votes:
    """Sort the votes by the place of their leaf among so many nodes."""
    order = np.argsort(leaves, kind="stable")
    counts = np.bincount(leaves, minlength=nodes).astype(np.intp)
    starts = np.cumsum(counts) - counts
    numbers = np.asarray(weights, np.float64)
    return Votes(starts, counts, np.asarray(targets, np.intp)[order], numbers[order])
