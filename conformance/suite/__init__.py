"""conformance/suite."""
