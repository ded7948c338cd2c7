"""What exporters build with: a graph under construction, operators in their form at any opset, options, arguments.

What the caller gave comes in and leaves checked. Imports `softops.opset` alone.
"""
