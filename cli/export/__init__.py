"""cli/export."""
