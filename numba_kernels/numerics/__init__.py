"""numba_kernels/numerics."""
