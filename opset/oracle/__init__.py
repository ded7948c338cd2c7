"""opset/oracle."""
