"""
Runtimes that are not Python: a program that is run here, and outputs that were made on another machine.
Cases or feeds come in; models and arrays go out as files, and come back as files.
It imports cases and the protocol of runtimes; those are found by name (`runtimes/names.py`).
"""
