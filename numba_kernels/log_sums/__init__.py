"""Σ exp(x − m) without the maximum's term and its logarithm, of rows, blocks and columns; softmax with a temperature.

In come addresses and numbers of lines; imports vector, numerics, arrays and rowwise.
"""
