"""Products of matrices inside kernels: a register tile over panels, and what lays numbers out for it.

Rows of numbers at an address and panels come in, sums of products go out, each summed in one order: number after
number along the depth, by fused multiply-adds where the processor has them. So the bits of a result do not depend on
the shape of a tile, on how the work is cut, nor on the number of threads. Imports `vector`, `compile` and `rowwise`.
"""
