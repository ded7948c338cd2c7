"""conformance/evaluation."""
