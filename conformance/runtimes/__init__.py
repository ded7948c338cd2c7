"""conformance/runtimes."""
