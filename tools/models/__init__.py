"""Models that others made, through every command: `python -m tools.models FOLDER` writes docs/models.md."""
