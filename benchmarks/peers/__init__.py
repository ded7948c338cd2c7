"""The libraries that softops is timed beside, each in a file of its own."""
