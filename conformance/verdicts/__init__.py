"""conformance/verdicts."""
