"""conformance/cases."""
