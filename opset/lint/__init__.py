"""opset/lint."""
