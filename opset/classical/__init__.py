"""
What the nodes of ai.onnx.ml do: support vectors, trees, and what stands before and behind classifiers.

May import: `operators`, `graph`, `nodes`.
"""
