"""export/builder."""
