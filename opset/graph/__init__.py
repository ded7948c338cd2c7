"""opset/graph."""
