"""What kernels ask of rows: extremes, exponentials and their sum, log-sums; rows in blocks, in lanes and as tiles.

What comes in are addresses, sizes and strides of lines that were checked in `arrays`; out come kernels for them.
Imports `vector`, `numerics`, `compile` and `arrays`.
"""
