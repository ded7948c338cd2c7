"""export/sources."""
