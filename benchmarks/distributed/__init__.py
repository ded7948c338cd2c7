"""Logits that outgrow a machine: seconds and memory of softmax over dask.array, beside what people write now."""
