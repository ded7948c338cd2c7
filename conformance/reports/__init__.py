"""conformance/reports."""
