"""numba_kernels/rowwise."""
