"""Rows made alike in size: layer normalization, and that by the root of the mean square.

Arrays of any shape in, normalized over the axes from one on to the last. Imports `arrays`, `compile`, `numerics`,
`rowwise` and `vector`.
"""
