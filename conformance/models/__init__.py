"""conformance/models."""
