"""export/surgery."""
