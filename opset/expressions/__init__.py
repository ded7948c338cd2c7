"""
Operators of the softmax family that are spelled out by simpler ones: what such an expression looks like, and is.

A node and its scope come in; the operator that does the same goes out. Imports `graph` and `operators`.
"""
