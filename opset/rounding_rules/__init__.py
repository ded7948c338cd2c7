"""
How far the roundings of an operator take its results, as a standard deviation: a rule for each operator.

A node with the exact values of its inputs and outputs comes in. Most rules give standard deviations; those of operators
that go through many steps follow them, with roundings drawn at random. It imports nodes, networks and operators.
"""
