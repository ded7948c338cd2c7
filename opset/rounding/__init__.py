"""
How far rounding may move the tensors of a model: run in float64, with the noise of a right runtime at each node.

A model, what it is fed and the precision of its numbers come in; for each tensor its value and samples of what a
runtime may make of it go out. The method is Monte Carlo arithmetic (D. S. Parker, Monte Carlo Arithmetic, 1997), with
a node in place of a machine operation: each node has a rule that says how far its own roundings take its results. It
imports graph, nodes, implementations, backend and rounding_rules.
"""
