"""Probabilities of several classes from those of each pair, as LIBSVM finds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_LEAST = 1e-7
"""Probabilities of a pair are kept so far from 0 and 1."""


def coupled(pairs: Doubles) -> Doubles:
    """
    Return the probabilities of k classes, shape (N, k).

    ``pairs`` has shape (N, k, k): in (i, j) the probability of class i against class j. The result minimises
    sum over i, j of (r_ji p_i - r_ij p_j)^2 on the simplex, approximately: the iteration, its start and where it
    stops are those of LIBSVM, as other ones come to numbers that differ in the third digit.

    Source: T.-F. Wu, C.-J. Lin, R. C. Weng, Probability estimates for multi-class classification by pairwise
    coupling, JMLR 5 (2004), the second method, algorithm 2.
    """
    n, k, _ = pairs.shape
    others = ~np.eye(k, dtype=bool)
    r = np.where(others, np.clip(pairs, _LEAST, 1 - _LEAST), 0)
    q = -r.swapaxes(1, 2) * r
    q[:, np.arange(k), np.arange(k)] = np.sum(r**2, axis=1)
    p = np.full((n, k), 1 / k)
    open_rows = np.arange(n)
    for _ in range(max(100, k)):
        ours, x = q[open_rows], p[open_rows]
        qp = np.einsum("nij,nj->ni", ours, x)
        value = np.sum(x * qp, 1)
        unfinished = ~(np.abs(qp - value[:, None]).max(1) < 0.005 / k)
        open_rows = open_rows[unfinished]
        if not open_rows.size:
            break
        p[open_rows] = _swept(ours[unfinished], x[unfinished], qp[unfinished], value[unfinished])
    return p


def _swept(q: Doubles, p: Doubles, qp: Doubles, value: Doubles) -> Doubles:
    """One round over the classes."""
    for t in range(p.shape[1]):
        own = q[:, t, t]
        step = (value - qp[:, t]) / own
        p[:, t] += step
        value = (value + step * (step * own + 2 * qp[:, t])) / (1 + step) ** 2
        qp = (qp + step[:, None] * q[:, t]) / (1 + step)[:, None]
        p = p / (1 + step)[:, None]
    return p
