"""How exact the kernels are beside torch, onnxruntime and SciPy: ``python -m benchmarks.accuracy``."""
