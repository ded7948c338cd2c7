"""opset/convert."""
