"""
Runtimes of other projects, each behind an extra and in a module of at most forty lines: what `adapter.py` has for all,
how its package loads a model, and how arrays go in and come out.
Models come in as bytes and arrays by name; outputs go out, or what the runtime does not take.
It imports runtimes.
"""
