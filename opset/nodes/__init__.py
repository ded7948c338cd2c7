"""
What the nodes of a model do, in NumPy and by the kernels: one table of implementations by domain and operator.

A node with its version, attributes and constants comes in; a function of its inputs goes out, made once.
May import: `operators`, `graph`.
"""
