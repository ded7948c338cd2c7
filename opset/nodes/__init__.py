"""opset/nodes."""
