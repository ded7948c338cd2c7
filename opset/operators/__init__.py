"""opset/operators."""
