"""How fast the kernels are beside every peer that is installed: ``python -m benchmarks``."""
