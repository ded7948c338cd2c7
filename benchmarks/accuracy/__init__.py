"""benchmarks/accuracy."""
