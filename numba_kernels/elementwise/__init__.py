"""Functions of each number by itself: arrays of any shape in, the same shape out.

Imports `arrays`, `numerics`, `rowwise` and `vector`.
"""
