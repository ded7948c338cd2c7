"""numba_kernels/vector."""
