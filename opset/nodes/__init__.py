"""
What an implementation of a node is, and those of the plain operators: arithmetic, shapes, pieces, products, control.

A node with its version, attributes and constants comes in; a function of its inputs goes out, made once. The
layers of networks are in `networks`, ai.onnx.ml in `classical`, the table of all in `implementations`.
May import: `operators`, `graph`.
"""
