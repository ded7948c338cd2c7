"""export/heads."""
