"""
Which implementation runs a node: the table of ours, onnx's reference where there is none, or the body in its schema.

May import: `operators`, `graph`, `nodes`, `classical`, `networks`.
"""
