"""
Nodes that are computed as one: what they look like, why a near miss is none, and the function that computes them.

The scope of a graph or a function's body comes in (`found`), `Fusion` and `NearMiss` go out; `backend` puts one step in
the place of the nodes of a fusion. What only the arrays of a run tell (ranks, dtypes, which axis is the last) the
function of a fusion asks of them: it gives None where they are not as it takes them, and the nodes run one by one.

Imports `graph`, `operators` and `expressions`.
"""
