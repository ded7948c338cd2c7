"""benchmarks/peers."""
