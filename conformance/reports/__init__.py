"""
What was found, written: JSON, Markdown, JUnit, web pages, and folders that show a failure without softops.
Records and reports come in, and go out as text or files.
It imports every room above it; nothing of it judges.
"""
