"""Compositions that a softmax is a part of, beside what people put together for them from a library's parts.

A module for each area makes `Task`s, `tasks` lists them all and `runner` times them. Imports the modules above it.
"""
