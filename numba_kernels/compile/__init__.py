"""numba_kernels/compile."""
