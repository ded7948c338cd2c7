"""conformance/measure."""
