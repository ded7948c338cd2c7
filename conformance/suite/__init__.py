"""
The suite as a whole: case, built, run, judged, record, report; in one process, in several, or as pytest's tests.
A runtime comes in, and which cases.
It imports every other room.
"""
